#include <cstdlib>

#include "base/own_process.h"
#include "cli/commands.h"

int main(int argc, char** argv) {
  slipway::HideEnvironment();
  // Arrow's columns come from malloc, in small pages. mimalloc, its own choice, asks for huge ones: a virtual machine
  // whose host takes idle memory back gets those one by one from the host, and a run's first second goes by with that
  // (docs/decisions/0010).
  setenv("ARROW_DEFAULT_MEMORY_POOL", "system", /*overwrite=*/0);
  return slipway::cli::Main(argc, argv);
}
