"""Video models of transformers as backbones: where each token lands, our own VideoMAE's values, and what is refused."""

import json

import pytest
import torch
import transformers
from safetensors.torch import save_file

from lfb_lightning.errors import InputError
from lfb_lightning.models import Backbone, HuggingFaceVideo, LayeredBackbone, VisionTransformer
from lfb_lightning.models.checkpoint import DETECTOR_PARTS
from lfb_lightning.models.hub_weights import fetch_file
from lfb_lightning.models.loading import load_backbone
from lfb_lightning.models.parameter_limit import no_larger_than
from lfb_lightning.models.stored_objects import StoredObjects

SMALL = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 48}
CONFIGS = {
    "videomae": {**SMALL, "image_size": 48, "num_frames": 4, "use_mean_pooling": False, "layer_norm_eps": 1e-6},
    "vivit": {**SMALL, "image_size": 48, "num_frames": 4, "tubelet_size": [2, 16, 16]},
    "timesformer": {**SMALL, "image_size": 48, "num_frames": 4},
    "vjepa2": {**SMALL, "crop_size": 48, "frames_per_clip": 4, "mlp_ratio": 2.0, "pred_hidden_size": 24},
}
STEPS = {"videomae": 2, "vivit": 2, "timesformer": 4, "vjepa2": 2}


def config(kind):
    return {"model_type": kind, **CONFIGS[kind]}


def make(kind, **options):
    torch.manual_seed(0)
    return HuggingFaceVideo(config=config(kind), **options)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_token_lands_where_its_pixels_are(kind):
    """Of a model whose layers add next to nothing, the cell over changed pixels is the one that changes."""
    made = make(kind).eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if ".layer" in f".{name}" and parameter.ndim == 2:
                parameter.mul_(1e-3)
    assert isinstance(made, Backbone)
    assert isinstance(made, LayeredBackbone)
    clips = torch.randn(1, 3, 4, 48, 48)
    changed = clips.clone()
    changed[0, :, 2:4, 32:48, 16:32] += 3.0  # the last frames, third row, second column
    with torch.inference_mode():
        difference = (made(changed) - made(clips)).abs().amax(dim=1)[0]
    assert difference.shape == (STEPS[kind], 3, 3)
    expected = torch.zeros(STEPS[kind], 3, 3, dtype=torch.bool)
    expected[STEPS[kind] // 2 :, 2, 1] = True
    assert torch.equal(difference > 0.5 * difference.max(), expected)


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_parameter_learns_and_has_its_layer(kind):
    made = make(kind, gradient_checkpointing=kind == "videomae")
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-2)
    losses, clips = [], torch.randn(2, 3, 4, 48, 48)
    target = torch.randn(made(clips).shape)
    for _ in range(2):
        loss = (made(clips) * target).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(parameter.grad is not None for parameter in made.parameters())  # DDP waits for each
    assert losses[1] < losses[0]
    layers = {name: made.layer_of(name) for name, _ in made.named_parameters()}
    assert set(layers.values()) == {0, 1, 2, 3}
    assert {layer for name, layer in layers.items() if "embed" in name} == {0}
    assert {layer for name, layer in layers.items() if name.startswith("model.layernorm")} <= {3}


def their_videomae(folder):
    torch.manual_seed(1)
    theirs = transformers.VideoMAEForVideoClassification(transformers.VideoMAEConfig(**CONFIGS["videomae"]))
    weights = {}
    for name, value in theirs.state_dict().items():  # published files have older names
        name = name.replace("query.bias", "q_bias").replace("value.bias", "v_bias")
        weights[name] = torch.randn(value.shape) * 0.1
    save_file(weights, folder / "model.safetensors")
    content = {
        **config("videomae"),
        "architectures": ["X"],
        "auto_map": {"AutoModel": "evil.py"},
        "id2label": {"0": "a"},
    }
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")


def test_videomae_equals_our_own_vision_transformer(tmp_path):
    their_videomae(tmp_path)
    section = HuggingFaceVideo.settled({"name": str(tmp_path)}, fetch_file)
    assert config("videomae").items() <= section["config"].items()
    assert not {"architectures", "auto_map", "id2label", "transformers_version"} & section["config"].keys()
    theirs = HuggingFaceVideo(**section).eval()
    ours = VisionTransformer(embed_dims=24, depth=2, num_heads=3, mlp_ratio=2.0, num_frames=4, image_size=48).eval()
    starts = [load_backbone(backbone, tmp_path) for backbone in (theirs, ours)]
    assert [start.license for start in starts] == ["cc-by-nc-4.0 (as its card says)"] * 2
    clips = torch.randn(2, 3, 4, 48, 48)
    with torch.inference_mode():
        found, expected = theirs(clips), ours(clips)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_name_that_is_neither_a_folder_nor_of_the_hub_is_told_under_its_key():
    with pytest.raises(
        InputError, match=r"^backbone\.name=hf_tny: no such folder, and no name of the hub: organization/"
    ):
        HuggingFaceVideo.settled({"name": "hf_tny"}, fetch_file)


def test_weights_of_another_model_are_one_line(tmp_path):
    their_videomae(tmp_path)
    with pytest.raises(InputError, match=r"^checkpoint .*: the weights do not fit the backbone's model \(.* missing"):
        load_backbone(make("vivit"), tmp_path)
    larger = HuggingFaceVideo(config={**config("videomae"), "hidden_size": 48})
    with pytest.raises(InputError, match="of another shape, first 'embeddings"):
        load_backbone(larger, tmp_path)


def test_clips_of_other_sizes_are_refused_or_resized():
    made = make("vivit")
    with pytest.raises(InputError, match=r"of 48 x 80 pixels, and .* takes 48 x 48: set backbone\.resize=true"):
        made(torch.zeros(1, 3, 4, 48, 80))
    with pytest.raises(InputError, match=r"6 frames \(data\.num_frames\), and the backbone's model takes 4"):
        made(torch.zeros(1, 3, 6, 48, 48))
    with pytest.raises(InputError, match="expected a multiple of 2"):
        make("vjepa2")(torch.zeros(1, 3, 5, 48, 48))
    resizing = make("vivit", resize=True)
    assert resizing(torch.zeros(2, 3, 4, 64, 85)).shape == (2, 24, 2, 4, 5)
    square = torch.randn(1, 3, 4, 48, 48)
    assert torch.equal(resizing.eval()(square), made.eval()(square))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_type": "bert"}, "model_type is 'bert', expected a video model of transformers: timesformer, videomae"),
        ({"model_type": "evil/repository"}, "expected a video model of transformers"),
        ({"model_type": None}, "expected a video model of transformers"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers is 1000000, expected at most 1000"),
        ({"image_size": 4000, "num_frames": 4000}, "positions times channels is"),
        ({"image_size": 10**9}, "expected a number, a word"),
        ({"hidden_size": "${oc.env:HOME}"}, "expected a number, a word, or a list of them"),
        ({"hidden_act": {"name": "gelu"}}, "expected a number, a word, or a list of them"),
        ({"num_frames": 5}, "have no whole tubes of 2 x 16"),
        ({"patch_size": 0}, "patch_size is 0, expected a whole number"),
        ({"image_size": None}, "image_size is None|is no configuration of videomae"),
        ({"num_attention_heads": 5}, "."),
    ],
)
def test_a_configuration_is_data_within_bounds(change, told):
    spec = {"_target_": "lfb_lightning.models.HuggingFaceVideo", "config": {**config("videomae"), **change}}
    with pytest.raises(InputError, match=told) as raised:
        StoredObjects(source="a file").build(spec, "model.backbone", DETECTOR_PARTS)
    assert "\n" not in str(raised.value)


def test_a_stored_configuration_makes_no_larger_model_than_its_weights_and_asks_no_hub(monkeypatch):
    monkeypatch.setattr("lfb_lightning.models.hub_weights.fetch_file", lambda *_: pytest.fail("the hub was asked"))
    spec = {"_target_": "lfb_lightning.models.HuggingFaceVideo", "name": "organization/x", "config": config("videomae")}
    built, weights = StoredObjects(source="a file"), make("videomae").state_dict()
    with no_larger_than(weights, source="a file"):
        made = built.build(spec, "model.backbone", DETECTOR_PARTS)
    made.load_state_dict(weights)
    large = {**config("videomae"), "hidden_size": 6000, "num_attention_heads": 1}
    with pytest.raises(InputError, match="by far do not fill"), no_larger_than(weights, source="a file"):
        built.build({**spec, "config": large}, "model.backbone", DETECTOR_PARTS)
    with pytest.raises(InputError, match=r"backbone\.config is not set: give backbone\.name=organization/name"):
        built.build({**spec, "config": None}, "model.backbone", DETECTOR_PARTS)


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        (
            "videomae",
            {"num_hidden_layers": 30, "intermediate_size": 16_384},
            "makes a model of more than 10000000 numbers",
        ),
        (
            "vjepa2",
            {"pred_num_mask_tokens": 1 << 20},
            "makes a model of more than 10000000 numbers",
        ),  # is left out later
        ("videomae", {"num_channels": 1 << 20, "hidden_size": 16_380}, "more than|transformers makes no model of it"),
        ("videomae", {"num_attention_heads": 7}, "transformers makes no model of it"),
    ],
)
def test_a_configuration_of_the_hub_takes_no_memory_without_weights_either(monkeypatch, kind, change, told):
    monkeypatch.setattr("lfb_lightning.models.parameter_limit._MOST_NUMBERS", 10_000_000)
    make(kind)
    with pytest.raises(InputError, match=f"backbone.config:? .*{told}") as refused:
        HuggingFaceVideo(config=config(kind) | change)
    assert "\n" not in str(refused.value)


def test_attention_is_not_chosen_by_a_file():
    """transformers takes `organization/name` there as code to fetch."""
    made = HuggingFaceVideo(
        config={**config("videomae"), "_attn_implementation": "evil/kernel", "attn_implementation": "a/b"}
    )
    assert made.model.config._attn_implementation in ("sdpa", "eager")
