#pragma once

#include <string>

#include "base/error.h"
#include "model/python/python_engine.h"

namespace slipway::model {

/// The version of Landlock that this kernel has; 0: none, or it is switched off.
int LandlockVersion();

/// Which boundaries of a model's box were found to hold, by trying them in one (probe.py).
struct BoxProbe {
  bool files = false;     ///< only its own are read and written (Landlock)
  bool sockets = false;   ///< no socket is opened (seccomp)
  bool calls = false;     ///< no other process is traced, and so on (seccomp)
  bool signals = false;   ///< no other process is sent any (Landlock, or seccomp for the server's)
  bool user = false;      ///< it is another user
  bool packages = false;  ///< it is a user who cannot write to the interpreter's site-packages
  std::string packages_folder;
};

/// kUnsupported: no such interpreter.
Result<BoxProbe> ProbeBox(PythonEngine engine);

}  // namespace slipway::model
