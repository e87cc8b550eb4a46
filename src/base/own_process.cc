#include "base/own_process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>

namespace slipway {

void HideEnvironment() {
  for (char** item = environ; item != nullptr && *item != nullptr; ++item) {
    char* moved = ::strdup(*item);
    if (moved == nullptr) return;
    ::explicit_bzero(*item, std::strlen(*item));
    *item = moved;  // and stays until the process ends, as all that getenv gives
  }
}

void MakeUndumpable() {
  ::prctl(PR_SET_DUMPABLE, 0);
  const rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

}  // namespace slipway
