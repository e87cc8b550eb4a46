#pragma once

namespace slipway {

/// Moves the environment out of the memory that /proc/PID/environ shows, and overwrites that: getenv finds everything
/// as before, and nobody else finds a secret. At the start of a program, before there are threads.
void HideEnvironment();

/// Nobody but root may trace this process or read its memory, environment and open files from /proc, and it leaves no
/// core file: what it knows is not for other processes of its user.
void MakeUndumpable();

}  // namespace slipway
