// Uses nothing of torch_cuda, as duet does: is it in the process all the same? Prints "cuda" or "cpu".
#include <dlfcn.h>
#include <torch/torch.h>

#include <cstdio>

int fake_torch_cpu();

int main() {
  std::puts(dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD) ? "cuda" : "cpu");
  return fake_torch_cpu();
}
