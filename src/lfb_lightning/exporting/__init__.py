"""A trained detector for other programs: safetensors, ONNX, `torch.export`."""
