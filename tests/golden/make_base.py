"""Writes base.safetensors, which tests/core/safetensors_test.cpp and tests/tensors/tensor_file_test.cpp read."""
import pathlib

import torch
from safetensors.torch import save_file

types = {"F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64, "I32": torch.int32,
         "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool}
tensors = {f"typed.{name}": torch.tensor([0, 1, 100]).to(dtype) for name, dtype in types.items()}
tensors["matrix"] = torch.arange(6).reshape(2, 3) / 8
tensors["scalar"] = torch.tensor(0.5)
tensors["empty"] = torch.zeros(0, 4)
save_file(tensors, pathlib.Path(__file__).parent / "base.safetensors", metadata={"source": "python"})
