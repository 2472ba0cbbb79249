#!/usr/bin/env bash
# Installs what duet is built from, only what is missing: Debian or Ubuntu packages, and LibTorch (a CPU wheel in .venv).
#   scripts/setup.sh [--tests] [--data]
#     --tests   also GoogleTest, and numpy and safetensors in .venv, for scripts/test.sh
#     --data    also npm and rsvg-convert, for datasets/emoji/fetch.sh; does without npm where it cannot be had
#   DUET_TORCH=DIR  use this torch package (it holds include/ and lib/) and make no .venv
# Says nothing when everything is there. Exit codes: 0 ready, 1 failed (the log: build/setup.log), 2 usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly torch_version=2.13.0 cpu_wheels=https://download.pytorch.org/whl/cpu log=build/setup.log

tests=no data=no
for option in "$@"; do
  case "$option" in
    --tests) tests=yes ;;
    --data) data=yes ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' scripts/setup.sh; exit 0 ;;
    *) echo "setup: unknown option $option (--tests, --data)" >&2; exit 2 ;;
  esac
done

say() { echo "setup: $*"; }
stop() {
  echo "setup: $*" >&2
  exit 1
}
# Runs a command into the log; on failure shows the end of it.
logged() {
  echo "+ $*" >> "$log"
  "$@" >> "$log" 2>&1 < /dev/null
}
show_log() {
  tail -n 15 "$log" | sed 's/^/  | /' >&2
}

readonly build_packages=(
  libopencv-dev libfaiss-dev libopenblas0-openmp libsentencepiece-dev libcli11-dev libtomlplusplus-dev
  nlohmann-json3-dev libspdlog-dev libsqlite3-dev libxxhash-dev libutf8proc-dev libjpeg-dev)

missing_packages() {
  local wanted=("${build_packages[@]}") tool
  [ "$tests" = no ] || wanted+=(libgtest-dev libgmock-dev)
  for tool in cmake:cmake ninja:ninja-build g++:g++ python3:python3 pkg-config:pkg-config ccache:ccache; do
    command -v "${tool%%:*}" > /dev/null || echo "${tool#*:}"
  done
  if [ "$data" = yes ]; then
    wanted+=(ca-certificates)
    command -v rsvg-convert > /dev/null || echo librsvg2-bin
    command -v npm > /dev/null || echo npm
  fi
  if needs_venv && ! [ -x .venv/bin/python ] && ! python3 -c 'import ensurepip, venv' 2> /dev/null; then
    echo python3-venv
  fi
  { dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2> /dev/null || true; } \
    | sed -n 's/^installed //p' | sort > "$scratch/installed" # (dpkg-query fails when it knows one of them not)
  printf '%s\n' "${wanted[@]}" | sort | comm -23 - "$scratch/installed"
}

# apt_install PACKAGE...: from the lists at hand, else from fresh ones, with what a killed run left half done put right.
apt_install() {
  local root=(env DEBIAN_FRONTEND=noninteractive)
  [ "$(id -u)" = 0 ] || root=(sudo "${root[@]}")
  local install=("${root[@]}" apt-get -y -o DPkg::Lock::Timeout=600 install --no-install-recommends "$@")
  logged "${install[@]}" && return
  logged "${root[@]}" dpkg --configure -a
  logged "${root[@]}" apt-get update && logged "${install[@]}"
}

may_install() { [ "$(id -u)" = 0 ] || sudo -n true 2> /dev/null || { [ -t 0 ] && command -v sudo > /dev/null && sudo -v; }; }

install_packages() {
  local missing optional=() required=() package
  if ! command -v dpkg-query > /dev/null; then
    say "no Debian or Ubuntu: these libraries must be there already: ${build_packages[*]}"
    return
  fi
  mapfile -t missing < <(missing_packages)
  for package in "${missing[@]}"; do
    case "$package" in
      npm | ccache) optional+=("$package") ;;
      *) required+=("$package") ;;
    esac
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! may_install; then
    [ ${#required[@]} -gt 0 ] || return 0
    stop "an administrator has to run this once, then start again:
  apt-get install --no-install-recommends ${required[*]} ${optional[*]}"
  fi
  if [ ${#required[@]} -gt 0 ]; then
    say "installing Debian packages: ${required[*]}"
    if ! apt_install "${required[@]}"; then
      show_log
      stop "apt-get could not install them, see $log"
    fi
  fi
  for package in "${optional[@]}"; do
    say "installing $package"
    apt_install "$package" || say "goes on without $package, which could not be installed"
  done
}

needs_venv() { [ -z "${DUET_TORCH:-}" ]; }

# has_python NAME[-VERSION]: a package whose installation was not cut off
has_python() { compgen -G ".venv/lib/python3*/site-packages/$1*.dist-info/RECORD" > /dev/null; }

has_torch() {
  has_python "torch-$torch_version" && compgen -G ".venv/lib/python3*/site-packages/torch/lib/libtorch_cpu.so" > /dev/null
}

pip_install() {
  logged .venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off "$@"
}

make_venv() {
  .venv/bin/python -c '' 2> /dev/null && .venv/bin/python -m pip --version > /dev/null 2>&1 && return
  rm -rf .venv
  if ! logged python3 -m venv .venv; then
    show_log
    stop "python3 -m venv failed (Debian: python3-venv), see $log"
  fi
}

# The CPU wheel of the configured index, that of PyTorch, or the default one.
install_torch() {
  say "installing LibTorch $torch_version (CPU)"
  pip_install "torch==$torch_version+cpu" && return
  pip_install "torch==$torch_version+cpu" --extra-index-url "$cpu_wheels" --retries 1 --timeout 20 && return
  say "no CPU wheel to be had: installing the default wheel of torch $torch_version (with CUDA it takes several GB)"
  pip_install "torch==$torch_version" && return
  show_log
  stop "pip could not install torch $torch_version, see $log; or set DUET_TORCH to the folder of a torch package"
}

check_own_torch() {
  if ! [ -e "$DUET_TORCH/include/torch/csrc/api/include/torch/torch.h" ] || ! compgen -G "$DUET_TORCH/lib/libtorch_cpu.*" > /dev/null; then
    stop "DUET_TORCH=$DUET_TORCH holds no LibTorch: include/torch/csrc/api/include/torch/torch.h and lib/libtorch_cpu.so are wanted"
  fi
}

install_python() {
  local missing=() package
  if ! needs_venv; then
    check_own_torch
    return
  fi
  if [ "$tests" = yes ]; then
    for package in numpy safetensors; do
      has_python "$package-" || missing+=("$package")
    done
  fi
  if has_torch && [ ${#missing[@]} = 0 ]; then
    return
  fi
  make_venv
  has_torch || install_torch
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing Python packages for the tests: ${missing[*]}"
    if ! pip_install "${missing[@]}"; then
      show_log
      stop "pip could not install them, see $log"
    fi
  fi
}

mkdir -p build
exec 9> build/.setup.lock
flock 9 # a second one waits, then finds everything there
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
: > "$log"
start=$SECONDS
install_packages
install_python
[ ! -s "$log" ] || say "ready ($((SECONDS - start)) s)"
