"""What a user types: it works, or is one line with key, value and what is expected. Never a traceback."""

import json

import pytest

from tests.cli.in_process import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small(mini_dir):
    data = ["experiment=mini_ava", f"paths.data_dir={mini_dir}", "data.last_second=904", "data.num_workers=0"]
    return [*data, "fbo=none", "trainer.max_epochs=1", "trainer.limit_train_batches=1", "trainer.limit_val_batches=1"]


def trained(small, folder, *arguments):
    done = run("train", *small, "hydra.run.dir=run", *arguments, folder=folder)
    assert done.status == 0, done.stderr[-3000:]
    assert json.loads((folder / "run" / "metrics.json").read_text())["steps"] == 1
    return {str(path.relative_to(folder / "run")) for path in (folder / "run").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("switch", "left_out"),
    [
        ("trainer.enable_progress_bar=false", None),
        ("+trainer.enable_checkpointing=false", "checkpoints/"),
        ("~logger", "logs/"),
        ("logger=null", "tensorboard/"),
        ("+trainer.logger=false", "logs/"),
        ("callbacks=null", "checkpoints/last.ckpt"),
        ("~callbacks", "checkpoints/best.ckpt"),
        ("callbacks.checkpoint=null", "checkpoints/best.ckpt"),
        ("+trainer.fast_dev_run=true", None),
        ("callbacks=ema_early_stopping", None),
        ("model.num_classes=20", None),
        ("loss=softmax model.num_classes=20", None),
    ],
)
def test_a_switch_works_as_with_its_part_left_out(switch, left_out, small, tmp_path):
    files = trained(small, tmp_path, *switch.split())
    assert left_out is None or not [name for name in files if name.startswith(left_out)]
    if left_out is None and "fast_dev_run" not in switch:
        assert {"checkpoints/best.ckpt", "checkpoints/last.ckpt", "logs/metrics.csv"} <= files


def test_a_column_without_an_action_changes_no_other_score(small, tmp_path):
    trained(small, tmp_path, "model.num_classes=20")
    # The suite checks types at run time, more strictly than Python: numbers that are used must have their point.
    arguments = ["ckpt_path=run/checkpoints/best.ckpt", "hydra.run.dir=test", "optim.milestones=[1.5]"]
    tested = run("test", *arguments, folder=tmp_path)
    assert tested.status == 0, tested.stderr[-3000:]
    ids = {int(line.split(",")[6]) for line in (tmp_path / "test" / "results.csv").read_text().splitlines()}
    assert ids == set(range(1, 15))


REFUSED = [
    ("trainer.logger=false", "+trainer.logger=VALUE"),
    ("trainer.precision=bf16-true", "trainer.precision is bf16-true, expected one of 32, bf16-mixed, 16-mixed"),
    ("trainer.precision=16-true", "trainer.precision is 16-true"),
    ("trainer.precision=64-true", "trainer.precision is 64-true"),
    ("trainer.precision=transformer-engine", "trainer.precision is transformer-engine"),
    ("trainer.precision=foo", "trainer.precision is foo"),
    ("trainer.accelerator=mps", "accelerator=mps"),
    ("trainer.accelerator=tpu", "accelerator=tpu"),
    ("trainer.accelerator=foo", "accelerator=foo"),
    ("trainer.devices=two", "devices=two"),
    ("trainer.devices=0", "devices=0"),
    ("trainer.devices=-1", "devices=-1"),
    ("trainer.devices=9999", "trainer.devices is 9999, expected at most"),
    ("trainer.strategy=foo", "strategy=foo"),
    ("trainer.strategy=ddp_spawn", "expected ddp"),
    ("trainer.limit_train_batches=abc", "trainer.limit_train_batches is abc, expected a number or null"),
    ("trainer.limit_train_batches=1.5", "1.5"),
    ("trainer.accumulate_grad_batches=0", "expected a whole number of at least 1"),
    ("trainer.check_val_every_n_epoch=0", "expected a whole number of at least 1"),
    ("+trainer.max_epoch=1", "trainer.max_epoch: Trainer has no 'max_epoch'; did you mean max_epochs"),
    ("+trainer.callbacks=[]", "trainer.callbacks is set by the command"),
    ("+trainer.barebones=true", "barebones"),
    ("trainer._target_=foo.Bar", "trainer._target_ is foo.Bar, which cannot be imported"),
    ("data.fps=abc", "data.fps is abc, expected a number."),
    ("data.fps=0.0", "data.fps is 0.0, expected at least"),
    ("data.fps=nan", "data.fps is nan, expected at least"),
    ("data.batch_size=-1", "data.batch_size is -1, expected at least 1"),
    ("data.batch_size=abc", "data.batch_size is abc, expected a whole number."),
    ("data.num_workers=x", "data.num_workers is x, expected a whole number."),
    ("data.num_workers=-1", "data.num_workers is -1, expected at least 0."),
    ("data.mean=[1.0]", "data.mean is [1.0], expected three numbers"),
    ("data.std=[0.0,1.0,1.0]", "data.std is [0.0, 1.0, 1.0], expected three numbers"),
    ("data.train_short_side=[]", "data.train_short_side is []"),
    ("data.classes=[11", "data.classes is [11, expected a list"),
    ("data.classes=[99]", "data.classes: [99] found"),
    ("data.video_dir=2024", """text is written 'data.video_dir="2024"'"""),
    ("data.video_dir=${nowhere}", "data.video_dir: Interpolation key 'nowhere' not found"),
    ("+data.foo=1", "data.foo: AvaDataset has no 'foo'; `--cfg job` prints the keys that there are."),
    (
        "fbo=xattn reproduce=none",
        "FBOCrossAttention has no 'mask_padding'; a preset or a file sets it; leave it out with '~fbo.mask_padding'.",
    ),
    ("+data.batchsize=1", "did you mean batch_size"),
    ("~data.label_map", "data.label_map is missing"),
    ("~task", "task is not in the configuration"),
    ("model=null", "model"),
    ("seed=abc", "seed is abc, expected a whole number."),
    ("seed=null", "seed is null, expected a whole number."),
    ("~seed", "seed is not in the configuration"),
    ("num_threads=0", "num_threads is 0, expected a whole number of at least 1 or null."),
    ("compile=maybe", "compile is maybe, expected true or false."),
    ("ckpt_path=5", "ckpt_path is 5, expected text or null"),
    ("paths.data_dir=5", "paths.data_dir is 5, expected text"),
    ("optim.lr=abc", "optim.lr is abc, expected a number."),
    ("optim.lr=nan", "optim"),
    ("peer_behaviour=on", "option 'peer_behaviour' is called otherwise now: reproduce="),
    ("+peer_frame_shift=1.0", "option 'peer_frame_shift' is called otherwise now: data.frame_shift"),
    ("callbacks.timing.synchronise=true", "did you mean callbacks.timing.synchronize?"),
    ("optim.lrr=1", "unknown option 'optim.lrr': did you mean optim.lr?"),
    ("fbo=nl fbo.identity=true", "unknown option 'fbo.identity': fbo=xattn has it; `lfb-train --cfg job` prints"),
    (
        "bank.others.vit=banks/vit",
        "bank.others takes names of your own: add one with a plus sign, +bank.others.vit=VALUE.",
    ),
    ("optim.optimizer.weight_decay=-1", "optim.optimizer: Invalid weight_decay value: -1"),
    ("optim.optimizer=adam", "optim.optimizer is adam, expected a section whose _target_ makes it"),
    ("optim.milestones=3", "optim.milestones is 3, expected a list"),
    ("model.dropout=abc", "model.dropout is abc, expected a number."),
    ("model.dropout=2.0", "model: dropout probability has to be between 0 and 1, but got 2.0"),
    ("model.num_classes=10", "model.num_classes is 10, but split val has 15 score columns"),
    ("model.num_classes=0", "model.num_classes is 0"),
    ("model.backbone=i3d", "model.backbone is i3d, expected a section"),
    ("loss.action_ids=[99]", "loss.action_ids is [99], expected action ids of 1 to 14"),
    ("backbone.stage_blocks=[1]", "model.backbone: spatial_strides has 2 entries"),
    ("backbone.base_channels=0", "model.backbone: base_channels"),
    ("backbone.temporal_kernels=[2,2]", "model.backbone: a temporal kernel is 2, expected an odd number"),
    ("+backbone.depth=34", "model.backbone: give either depth"),
    ("bank.precision=fp8", "bank.precision is fp8, expected one of fp32, fp16, bf16, int8."),
    ("bank.window_seconds=0", "bank.window_seconds is 0"),
    ("fbo=nl fbo.num_layers=-1", "model: latent_channels is 512 and num_layers -1"),
    ("fbo=nll", "lfb-train: fbo=nll: no such option; did you mean nl? (avg, max, nl, nl_small, none, xattn)."),
    ("callbacks=extraction", "callbacks.progress: "),
    ("callbacks.progress_bar=false", "callbacks.progress_bar is false"),
    ("+callbacks.mine.foo=1", "callbacks.mine has no _target_"),
    ("callbacks.checkpoint.monitor=foo", "ModelCheckpoint.monitor is foo, expected one of val/mAP"),
    ("callbacks=early_stopping callbacks.early_stopping.monitor=foo", "EarlyStopping.monitor is foo"),
    ("callbacks=ema callbacks.ema.decay=5", "callbacks.ema: Invalid decay value 5"),
    ("callbacks.last.every_n_steps=0", "callbacks.last.every_n_steps is 0, expected at least 1."),
    ("hydra.run.dir=/proc/nothing", "run folder /proc/nothing: cannot be written to"),
    ("hydra.run.dir=[1]", "hydra.run.dir: Cannot convert"),
    ("hydra.verbose=5", "lfb-train"),
    ("hydra/launcher=foo", "lfb-train: hydra/launcher=foo: no such option (basic, "),
    ("--config-dir nowhere", "not found"),
    ("--config-name nothing", "Cannot find primary config 'nothing'"),
    ("--resolve", "--resolve"),
    ("train", "train is no override, expected key=value"),
]


@pytest.mark.parametrize(("typed", "told"), REFUSED, ids=[typed for typed, _ in REFUSED])
def test_a_mistake_is_one_line_that_names_it(typed, told, small, tmp_path):
    arguments = [] if "hydra.run.dir" in typed else ["hydra.run.dir=run"]
    done = run("train", *small, *arguments, *typed.split(), folder=tmp_path)
    assert done.status == 1
    assert "Traceback" not in done.stderr
    assert done.message.startswith("lfb-train: ")
    assert done.message.count("\n") == 0, done.message
    assert told in done.message


OTHERS = [
    ("test", "split=5", "split is 5, expected text"),
    ("test", "~trainer", "trainer is not in the configuration"),
    ("extract", "callbacks.progress.log_seconds=x", "callbacks.progress.log_seconds is x, expected a number."),
    ("cache", "splits=val", "splits is val, expected a list"),
    ("cache", "num_workers=-1", "num_workers is -1, expected a whole number of at least 0."),
    ("cache", "quality=100", "quality 100, expected"),
    ("check", "videos=5", "videos is 5, expected true or false."),
    ("check", "fingerprint_probes=-1", "fingerprint_probes is -1"),
    ("check", "~data", "data is not in the configuration"),
    ("check", "out=/proc/nothing", "/proc/nothing: cannot be used"),
    ("eval", "detections=5", """text is written 'detections="5"'"""),
    (
        "test",
        "trainer.limit_test_batches=2",
        "unknown option 'trainer.limit_test_batches': `lfb-test --cfg job` prints",
    ),
    ("eval", "seed=-1", "seed is -1, expected a whole number of at least 0."),
    ("import_weights", "strict=abc", "strict is abc, expected true or false."),
    ("import_weights", "fbo=foo", "lfb-import: fbo=foo: no such option (avg, max, nl, nl_small, none, xattn)"),
    ("bank", "split folder=a to=b parts=x", "parts is x, expected a whole number of at least 1 or null."),
    ("bank", "merge folders=a to=b", "folders is a, expected a list"),
    ("bank", "inspect", "folder is not set"),
]


@pytest.mark.parametrize(("command", "typed", "told"), OTHERS, ids=[" ".join(case[:2]) for case in OTHERS])
def test_so_it_is_with_every_command(command, typed, told, mini_dir, tmp_path):
    data = ["data=mini_ava", f"paths.data_dir={mini_dir}"] if command in ("cache", "check") else []
    done = run(command, *typed.split(), *data, folder=tmp_path)
    assert (done.status, done.message.count("\n")) == (1, 0), done.stderr
    assert told in done.message


def test_no_gpu_is_one_line(small, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = run("train", *small, "trainer.accelerator=gpu", "hydra.run.dir=run", folder=tmp_path)
    assert done.message.startswith("lfb-train: trainer: No supported gpu backend found!")


def test_a_traceback_is_there_for_who_asks(small, tmp_path, monkeypatch):
    monkeypatch.setenv("LFB_FULL_ERROR", "1")
    assert "Traceback" in run("train", *small, "seed=abc", "hydra.run.dir=run", folder=tmp_path).stderr
