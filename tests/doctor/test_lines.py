"""What each line says of figures that are given: a small /dev/shm, a full disk, a quota, a version out of bounds."""

import subprocess
import sys
from pathlib import Path

import pytest

from lfb_lightning.doctor import configuration, devices, extras, folders, launching, machine, packages, videos

GIB = 2**30
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("total", "free", "status"),
    [(64 * 2**20, 64 * 2**20, "note"), (GIB, GIB, "note"), (8 * GIB, 8 * GIB, "ok"), (8 * GIB, 2**20, "note")],
)
def test_docker_s_64_mib_of_shared_memory_are_noted_with_its_option(total, free, status):
    line = machine.shared_memory_line(total, free)
    assert line.status == status
    assert ("--shm-size" in line.remedy) == (status != "ok")


@pytest.mark.parametrize(
    ("soft", "hard", "status"), [(128, 128, "problem"), (256, 4096, "note"), (1024, 1024, "ok"), (-1, -1, "ok")]
)
def test_open_files(soft, hard, status):
    line = machine.open_files_line(soft, hard)
    assert line.status == status
    assert ("ulimit -n 4096" in line.remedy) == (hard == 4096)


@pytest.mark.parametrize(
    ("affinity", "quota", "said"),
    [
        (None, None, "8 cores, all"),
        (8, 16.0, "8 cores, all"),
        (3, None, "3 of 8"),
        (8, 2.5, "2 of 8"),
        (4, 0.5, "1 of 8"),
    ],
)
def test_usable_cores_are_the_least_of_machine_affinity_and_quota(affinity, quota, said):
    assert machine.cores_line(8, affinity, quota).what.startswith(said)


def test_quotas_of_a_cgroup_and_of_the_groups_above_it(tmp_path):
    own = tmp_path / "fs" / "job" / "step"
    own.mkdir(parents=True)
    (own / "cpu.max").write_text("max 100000\n")
    (own / "memory.max").write_text("max\n")
    (own.parent / "cpu.max").write_text("150000 100000\n")
    (own.parent / "memory.max").write_text("1073741824\n")
    table = tmp_path / "cgroup"
    table.write_text("0::/job/step\n")
    groups = machine.own_cgroups(table, tmp_path / "fs")
    assert groups[:2] == [own, own.parent]
    assert machine.cgroup_cores(groups) == 1.5
    assert machine.cgroup_memory(groups) == GIB
    assert machine.cgroup_cores([]) is None


def test_quotas_of_the_first_version_of_cgroups(tmp_path):
    for controllers, files in {
        "cpu,cpuacct": {"cpu.cfs_quota_us": "400000", "cpu.cfs_period_us": "100000"},
        "memory": {"memory.limit_in_bytes": "9223372036854771712"},
    }.items():
        folder = tmp_path / "fs" / controllers / "docker"
        folder.mkdir(parents=True)
        for name, value in files.items():
            (folder / name).write_text(value + "\n")
    (tmp_path / "cgroup").write_text("4:memory:/docker\n3:cpu,cpuacct:/docker\n")
    groups = machine.own_cgroups(tmp_path / "cgroup", tmp_path / "fs")
    assert machine.cgroup_cores(groups) == 4
    assert machine.cgroup_memory(groups) is None


def test_memory_as_the_kernel_says_it(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n")
    assert machine.memory(tmp_path / "meminfo") == (16 * GIB, 8 * GIB)
    assert machine.memory_line(16 * GIB, 8 * GIB, limit=None).status == "ok"
    assert machine.memory_line(16 * GIB, 8 * GIB, limit=2 * GIB).status == "note"


@pytest.mark.parametrize(
    ("version", "bounds", "status"),
    [
        ("2.5.1", ">=2.6", "problem"),
        ("2.6.0+cu124", ">=2.6", "ok"),
        ("3.0", ">=2.5,<3", "problem"),
        ("2.7.0.dev1", ">=2.6", "ok"),
    ],
)
def test_versions_are_compared_with_bounds(version, bounds, status):
    line = packages.version_line("torch", version, bounds, "advice")
    assert line.status == status
    assert version in line.what
    assert bounds in line.what
    assert line.remedy == ("advice" if status == "problem" else "")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hydra-core<1.4,>=1.3.8", ("hydra-core", "<1.4,>=1.3.8")),
        ("av>=18", ("av", ">=18")),
        ("numpy", ("numpy", "")),
        ("optuna (>=2) ; extra == 'search'", ("optuna", ">=2")),
        ("ray[data]<2.64,>=2.60 ; extra == 'ray'", ("ray", "<2.64,>=2.60")),
        ("moto[s3,server]", ("moto", "")),
    ],
)
def test_requirements_are_split(text, parts):
    assert packages.split_requirement(text) == parts


def test_a_requirement_of_another_python_is_not_looked_at():
    assert packages.concerns_this_machine("av>=18")
    assert packages.concerns_this_machine('av>=18; python_version >= "3.10"')
    assert not packages.concerns_this_machine('av<18; python_version < "3.10"')


def test_a_package_that_is_not_installed_is_a_problem_and_one_that_is_has_its_version():
    assert packages.package_line("no-such-package", ">=1").status == "problem"
    line = packages.package_line("numpy", ">=900")
    assert line.status == "problem"
    assert 'pip install "numpy>=900"' in line.remedy


def test_every_extra_of_the_project_has_a_purpose():
    import re

    section = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1].split("\n[project")[0]
    names = set(re.findall(r"^(\w+) = \[", section, re.MULTILINE))
    assert names - {"dev"} == extras.PURPOSES.keys()


def test_an_extra_is_there_only_whole():
    whole = extras.extra_line("onnx", [("onnxruntime", ">=1.17")])
    assert whole.status == "ok"
    half = extras.extra_line("export", [("onnxruntime", ">=1.17"), ("no-such-package", ">=2")])
    assert half.status == "note"
    assert "no-such-package is missing" in half.what
    assert half.remedy.endswith("pip install 'lfb-lightning[export]'")
    old = extras.extra_line("onnx", [("onnxruntime", ">=900")])
    assert old.status == "note"


def test_an_extra_whose_import_is_blocked_is_missing():
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from lfb_lightning.doctor.extras import extra_line; print(extra_line('onnx', [('onnxruntime', '>=1')]).what)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "onnxruntime is missing" in done.stdout


def test_a_folder_that_cannot_be_written_is_a_problem_though_it_is_there(tmp_path):
    line = folders.folder_line("runs", "paths.runs_dir", Path("/proc/runs"))  # not even by root
    assert line.status == "problem"
    assert "paths.runs_dir" in line.remedy
    (tmp_path / "file").touch()
    assert folders.folder_line("runs", "paths.runs_dir", tmp_path / "file" / "runs").status == "problem"
    assert folders.folder_line("runs", "paths.runs_dir", tmp_path / "not" / "yet").status != "problem"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]  # nothing is left behind


@pytest.mark.parametrize(("free", "status"), [(0, "problem"), (GIB, "note"), (100 * GIB, "ok")])
def test_room_on_the_disk(free, status):
    assert folders.room_line("runs: runs", "paths.runs_dir", free).status == status


def test_cpu_precisions_are_those_of_its_flags():
    assert "bf16 and fp16 in hardware" in devices.cpu_line("AVX512", {"amx_bf16", "avx512_fp16"}, 2).what
    assert "fp16 emulated" in devices.cpu_line("AVX2", {"avx2", "f16c"}, 2).what


def test_a_driver_without_a_device_says_why():
    def line(**given):
        return devices.driver_line("550.54", **({"cuda": "12.4", "count": 0, "hidden": None} | given))

    assert line(count=2).status == "ok"
    assert (line(cuda=None).status, "for CPUs only" in line(cuda=None).what) == ("note", True)
    assert line(hidden="").status == "note"
    assert line().status == "problem"


@pytest.mark.parametrize(
    ("capability", "is_fine"), [((9, 0), True), ((8, 6), True), ((12, 0), True), ((6, 1), False), ((7, 0), False)]
)
def test_a_gpu_for_which_torch_has_no_code_is_a_problem(capability, is_fine):
    architectures = ["sm_75", "sm_80", "sm_90", "compute_90"]  # 8.6 runs code of 8.0; 12.0 what 9.0 translates to
    line = devices.architecture_line(0, capability, architectures)
    assert (line is None) == is_fine


def test_compiling_needs_a_compiler_headers_and_triton():
    assert [
        devices.compiler_line("g++", found, headers).status for found, headers in ((None, True), ("/g++", False))
    ] == ["note"] * 2
    assert devices.compiler_line("g++", "/usr/bin/g++", True).status == "ok"
    assert [devices.triton_line(*given).status for given in ((True, (8, 0)), (False, (8, 0)), (True, (6, 1)))] == [
        "ok",
        "note",
        "note",
    ]


def test_the_driver_s_version_is_read_from_the_kernel(tmp_path):
    text = (
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\nGCC version: gcc 12\n"
    )
    (tmp_path / "version").write_text(text)
    assert devices.nvidia_driver(tmp_path / "version") == "550.54.15"


def test_codecs():
    assert (
        videos.decoders_line(["h264", "mjpeg", "mpeg4", "hevc", "vp9", "av1", "vp8", "mpeg2video", "prores"]).status
        == "ok"
    )
    assert videos.decoders_line(["h264", "mjpeg", "mpeg4"]).status == "note"
    without = videos.decoders_line(["mjpeg", "mpeg4", "hevc"])
    assert (without.status, "missing: h264" in without.what) == ("problem", True)
    assert [videos.encoder_line(there).status for there in (True, False)] == ["ok", "note"]


def test_own_configuration(tmp_path):
    conf = tmp_path / "conf"
    (conf / "fbo").mkdir(parents=True)
    (conf / "fbo" / "nl.yaml").touch()
    own = tmp_path / "own"
    (own / "fbo").mkdir(parents=True)
    assert configuration.own_folder_line(own / "none", conf).status == "problem"
    assert configuration.own_folder_line(own, conf).status == "note"
    (own / "fbo" / "mine.yaml").touch()
    assert "fbo/mine.yaml" in configuration.own_folder_line(own, conf).what
    (own / "fbo" / "nl.yaml").touch()
    assert configuration.own_folder_line(own, conf).status == "note"


def test_only_variables_that_matter_are_told_and_no_secrets():
    given = {
        "LFB_FULL_ERROR": "1",
        "CUDA_VISIBLE_DEVICES": "0",
        "WANDB_API_KEY": "s3cret",
        "HF_TOKEN": "s3cret",
        "EDITOR": "vi",
    }
    told = "\n".join(line.what for line in configuration.environment_lines(given))
    assert told.splitlines() == ["CUDA_VISIBLE_DEVICES=0", "LFB_FULL_ERROR=1"]


@pytest.mark.parametrize(
    ("variables", "status", "said"),
    [
        ({}, "ok", "neither SLURM nor torchrun"),
        ({"LOCAL_RANK": "1"}, "note", "takes itself for a rank"),
        ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_NNODES": "2"}, "note", "not started by srun"),
        ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_STEP_ID": "0"}, "ok", "8 tasks"),
        (
            {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "10.0.0.9", "MASTER_PORT": "1"},
            "ok",
            "rank 1 of 2",
        ),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "note", "MASTER_ADDR"),
    ],
)
def test_launch_state(variables, status, said):
    (line,) = launching.launch_lines(variables, has_srun=False)
    assert line.status == status
    assert said in line.what
    assert "10.0.0.9" not in line.what


def test_how_files_are_locked_and_what_is_lost_without():
    assert machine.locks_line("fcntl").status == "ok"
    for kind in ("msvcrt", "none"):
        line = machine.locks_line(kind)
        assert (line.status, "docs/platforms.md" in line.remedy) == ("note", True)
    assert machine.signals_line(["SIGTERM", "SIGUSR1"]).status == "ok"
    assert "no SIGUSR1" in machine.signals_line(["SIGTERM"]).what
