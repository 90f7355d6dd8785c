"""The workers as Slurm and Kubernetes have started them: what TensorFlow's resolvers read, and what is refused."""

import re
import subprocess
from types import SimpleNamespace

import pytest
import yaml

from analogy.errors import UserError
from analogy.settings import find_experiment
from analogy.training import schedulers
from analogy.training.schedulers import KINDS, NEEDED, check_cluster, find_cluster
from tests.conftest import ROOT

STEP = {
    "SLURM_JOB_ID": "4711", "SLURM_PROCID": "1", "SLURM_LOCALID": "1", "SLURMD_NODENAME": "node2", "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "node[2,10]", "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
}  # fmt: skip
POD = {"ANALOGY_PODS": "job-name=kth", "ANALOGY_WORKERS": "3", "ANALOGY_NAMESPACE": "video", "ANALOGY_POD_IP": "10.0.0.2"}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """A function that sets the environment; none of it is set before."""
    for name in ("TF_CONFIG", "ANALOGY_WORKERS_PORT", "SLURM_JOB_ID", *NEEDED["slurm"], *NEEDED["kubernetes"]):
        monkeypatch.delenv(name, raising=False)

    def write(values: dict[str, str]) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return write


def test_a_slurm_step_is_read(environment):
    environment(STEP)
    cluster = find_cluster("slurm")
    first = 20_000 + 4711 % 750 * 16
    # The resolver sorts by letters: node10 comes before node2. This process is the second on node2 all the same.
    assert list(cluster.addresses.values()) == [f"node{node}:{first + place}" for node in (10, 2) for place in (0, 1)]
    assert (cluster.own, cluster.port, cluster.source) == ("worker 3", first + 1, "--cluster slurm")


def test_every_task_of_a_step_is_another_worker_of_the_same_cluster(environment):
    environment(STEP)
    found = []
    for node in ("node2", "node10"):
        for place in "01":
            environment({"SLURMD_NODENAME": node, "SLURM_LOCALID": place})
            found.append(find_cluster("slurm"))
    assert sorted(cluster.own for cluster in found) == [f"worker {index}" for index in range(4)]
    assert all(cluster.addresses == found[0].addresses for cluster in found)


def test_nodes_of_several_sizes_and_a_port_of_one_s_own(environment):
    environment({**STEP, "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_TASKS_PER_NODE": "3,1", "ANALOGY_WORKERS_PORT": "5000"})
    assert list(find_cluster("slurm").addresses.values()) == ["node10:5000", "node2:5000", "node2:5001", "node2:5002"]


@pytest.mark.parametrize(
    ("nodes", "names"),
    [
        ("n[001-003,7]", "n001 n002 n003 n7"),
        ("n[08-10],login", "n08 n09 n10 login"),
        ("rack[0-1]node[2,4]", "rack0node2 rack0node4 rack1node2 rack1node4"),
        ("gpu-a[1-2]-ib,n3.cluster.local", "gpu-a1-ib gpu-a2-ib n3.cluster.local"),
    ],
)
def test_nodes_of_all_names_that_slurm_knows(environment, nodes, names):
    names = names.split()
    environment({**STEP, "SLURM_STEP_NODELIST": nodes, "SLURM_STEP_TASKS_PER_NODE": f"2,1(x{len(names) - 1})"})
    environment({"SLURM_STEP_NUM_TASKS": str(len(names) + 1), "SLURMD_NODENAME": names[0], "ANALOGY_WORKERS_PORT": "5000"})
    cluster = find_cluster("slurm")
    assert sorted(cluster.addresses.values()) == sorted([*(f"{name}:5000" for name in names), f"{names[0]}:5001"])
    assert cluster.addresses[cluster.own] == f"{names[0]}:5001"


def test_a_step_of_one_task_trains_alone(environment):
    environment({**STEP, "SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NODELIST": "node2", "SLURM_STEP_TASKS_PER_NODE": "1"})
    environment({"SLURM_LOCALID": "0", "SLURM_PROCID": "0"})
    assert find_cluster("slurm") is None


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("pbs", {}, "--cluster pbs: choose tf_config, slurm or kubernetes"),
        ("slurm", {}, "no SLURM_PROCID .*start the command with srun"),
        ("slurm", {**STEP, "SLURM_STEP_NODELIST": " "}, "no SLURM_STEP_NODELIST"),
        ("slurm", {**STEP, "SLURM_STEP_NODELIST": "node[2-"}, r"SLURM_STEP_NODELIST is node\[2-, which is no list of nodes"),
        ("slurm", {**STEP, "SLURM_STEP_TASKS_PER_NODE": "two"}, "slurm: Invalid tasks-per-node"),
        ("slurm", {**STEP, "SLURM_STEP_NUM_TASKS": "5"}, "Requested 5 tasks but only 4"),
        ("slurm", {**STEP, "SLURM_PROCID": "x"}, "--cluster slurm: invalid literal"),
        ("slurm", {**STEP, "SLURMD_NODENAME": "node3"}, "this process is node3:[0-9]+, which is none of node10:"),
        ("slurm", {**STEP, "ANALOGY_WORKERS_PORT": "99999"}, "ANALOGY_WORKERS_PORT is 99999"),
        ("slurm", {**STEP, "ANALOGY_WORKERS_PORT": "0"}, "ANALOGY_WORKERS_PORT is 0"),
        ("slurm", {**STEP, "ANALOGY_WORKERS_PORT": "65535"}, "is 65535, and a node has workers up to port 65536"),
        ("slurm", {**STEP, "TF_CONFIG": "{}"}, "TF_CONFIG is set too"),
        ("kubernetes", {}, "no ANALOGY_PODS .*docs/scale.md"),
        ("kubernetes", {**POD, "ANALOGY_WORKERS": "0"}, "ANALOGY_WORKERS is 0"),
        ("tf_config", {"TF_CONFIG": "{"}, "TF_CONFIG is not JSON"),
    ],
)
def test_mistakes_are_one_line(environment, kind, values, said):
    environment(values)
    with pytest.raises(UserError, match=said) as caught:
        find_cluster(kind)
    assert "\n" not in str(caught.value)


def test_they_are_found_before_anything_starts(environment, invoke, tmp_path):
    environment({})
    done = invoke("run", "seq2seq_sins_l1", "--scale", "demo", "--cluster", "slurm", "--results-dir", tmp_path / "results")
    assert done.exit_code == 2 and "no SLURM_PROCID" in done.stderr and not (tmp_path / "results").exists()


def test_an_unknown_kind_in_the_environment_is_refused_in_a_dry_run_too(environment, invoke, tmp_path, monkeypatch):
    environment({})
    said = "error: --cluster pbs ($ANALOGY_CLUSTER): choose tf_config, slurm or kubernetes\n"
    monkeypatch.setenv("ANALOGY_CLUSTER", "pbs")
    for dry in ([], ["--dry-run"]):
        done = invoke("run", "seq2seq_sins_l1", "--scale", "demo", "--results-dir", tmp_path / "results", *dry)
        assert done.exit_code == 2 and done.output == said and not (tmp_path / "results").exists()
    monkeypatch.setenv("ANALOGY_CLUSTER", "slurm")  # where the settings are looked at, no step of Slurm needs to run
    done = invoke("run", "seq2seq_sins_l1", "--scale", "demo", "--dry-run")
    assert done.exit_code == 0 and "parameters:" in done.output


class Api:
    """Kubernetes' answers, one a question: (name, phase, address) of each pod."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def list_namespaced_pod(self, namespace, label_selector):
        self.asked.append((namespace, label_selector))
        pods = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(pods, Exception):
            raise pods
        items = [
            SimpleNamespace(
                metadata=SimpleNamespace(name=name), status=SimpleNamespace(phase=phase, pod_ip=ip, host_ip="1.1.1.1")
            )
            for name, phase, ip in pods
        ]
        return SimpleNamespace(items=items)


RUNNING = [("kth-2", "Running", "10.0.0.3"), ("kth-0", "Running", "10.0.0.1"), ("kth-1", "Running", "10.0.0.2")]


def pods_running(api):
    return schedulers._pods_running(schedulers._PodsOfNamespace(api), (ConnectionError,), lambda seconds: None)


def test_pods_are_waited_for_and_have_their_own_addresses(environment):
    environment(POD)
    gone = ("kth-0-first-try", "Failed", "10.0.0.9")
    api = Api([], RUNNING[:2], [*RUNNING[:2], ("kth-1", "Pending", None)], [*RUNNING, gone])
    assert pods_running(api) == ["10.0.0.1:8470", "10.0.0.2:8470", "10.0.0.3:8470"]
    assert api.asked == [("video", "job-name=kth")] * 4
    cluster = schedulers._cluster(pods_running(api), "10.0.0.2:8470", "kubernetes", "")
    assert (cluster.own, cluster.source) == ("worker 1", "--cluster kubernetes")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (RUNNING[:2], "after 0 s 2 of 3 pods job-name=kth run; ANALOGY_WORKERS_SECONDS"),
        ([("kth-0", "Pending", None)], 'Pod "kth-0" is not running; phase: "Pending"'),
        ([*RUNNING, ("kth-9", "Running", "10.0.0.8")], "4 of 3 pods job-name=kth run: mend ANALOGY_WORKERS"),
        (ConnectionError("forbidden"), r"cannot be listed \(forbidden\); may the job's service account list pods"),
    ],
)
def test_pods_that_do_not_come_are_one_line(environment, answer, said):
    environment({**POD, "ANALOGY_WORKERS_SECONDS": "0.01"})
    with pytest.raises(UserError, match=said):
        pods_running(Api(answer))


def test_the_package_of_kubernetes_is_named(environment, monkeypatch):
    environment(POD)
    monkeypatch.setattr(schedulers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'analogy-video\[kubernetes\]'"):
        check_cluster("kubernetes")


def test_each_kind_says_what_it_needs():
    assert tuple(NEEDED) == KINDS


def blocks(kind: str) -> list[str]:
    """The blocks of this kind in docs/scale.md."""
    return re.findall(rf"```{kind}\n(.*?)```", (ROOT / "docs" / "scale.md").read_text(encoding="utf-8"), re.S)


def test_the_job_files_of_the_docs_can_be_read_and_name_what_is_needed(environment):
    files = [list(yaml.safe_load_all(block)) for block in blocks("yaml")]
    ((tfjob,), (*_, job)) = files
    (container,) = tfjob["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"]["containers"]
    (alone,) = job["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "tensorflow"  # where TFJob writes TF_CONFIG
    names = {entry["name"]: entry.get("value") for entry in alone["env"]}
    assert set(NEEDED["kubernetes"]) <= set(names)
    assert names["ANALOGY_PODS"] == f"job-name={job['metadata']['name']}"
    assert names["ANALOGY_WORKERS"] == str(job["spec"]["completions"]) == str(job["spec"]["parallelism"])
    (script,) = (block for block in blocks("sh") if "#SBATCH" in block)
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    line = next(line for line in script.replace("\\\n", "").splitlines() if line.startswith("srun"))
    for command in (container["command"], alone["command"], line.split()[2:]):
        assert command[:2] == ["analogy", "run"] and find_experiment(command[2]).is_file()
        options = dict(zip(command[3::2], command[4::2], strict=True))
        assert (
            set(options) <= {"--cluster", "--data-dir", "--results-dir", "--set"} and options.get("--cluster", "slurm") in KINDS
        )
