"""A bank as the reference holds and reads it: {video: {second: list of [C] tensors}} in memory, a window a RoI by a loop over
seconds, the windows stacked and laid out channels first."""

import torch


def window(bank, video_id, timestamp, *, seconds=60, per_second=5):
    video = bank[video_id]
    rows = []
    for second in range(timestamp - seconds // 2, timestamp + (seconds + 1) // 2):
        here = video.get(second, [])
        if len(here) > per_second:
            here = [here[index] for index in torch.randperm(len(here))[:per_second].tolist()]
        rows += [feature.float() for feature in here]
        rows += [torch.zeros(feature_width(bank))] * (per_second - len(here))
    return torch.stack(rows)


def feature_width(bank):
    video = next(iter(bank.values()))
    return len(next(iter(video.values()))[0])


def windows(bank, keyframes, persons):
    """`[R, C, S, 1, 1]` float32 of `persons` RoIs a keyframe, each sampled by itself."""
    stacked = torch.stack([window(bank, *keyframe) for keyframe in keyframes for _ in range(persons)])
    return stacked.permute(0, 2, 1)[..., None, None].contiguous()
