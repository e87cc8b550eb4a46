#include "model/python/worker.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "base/format.h"
#include "model/python/probe.h"
#include "model/python/zygote.h"

namespace slipway::model {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int kLongMilliseconds = 60'000;  // ends a test that hangs

/// Whether the process ends; one that is not there has.
bool Ends(int pid) {
  pollfd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)), POLLIN, 0};
  bool ended = process.fd < 0 || ::poll(&process, 1, kLongMilliseconds) == 1;
  if (process.fd >= 0) ::close(process.fd);
  return ended;
}

int ParentOf(int pid) {
  auto text = ReadFile(fmt::format("/proc/{}/stat", pid), 4096).value_or("");
  auto name = text.rfind(") ");
  return name == std::string::npos ? 0 : std::atoi(text.c_str() + name + 4);
}

void Write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// An interpreter whose libraries are empty, so that it starts at once: what runs are programs, not models. `mlflow`
/// notes each time that it is imported.
class WorkerTest : public testing::Test {
 protected:
  WorkerTest() : folder_(fs::path(testing::TempDir()) / fmt::format("worker-test-{}", ::getpid())) {
    fs::create_directories(folder_ / "tmp");
    ::setenv("TMPDIR", (folder_ / "tmp").c_str(), 1);
    Write(folder_ / "venv/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\n");
    fs::create_directories(folder_ / "venv/bin");
    fs::create_symlink("/usr/bin/python3", folder_ / "venv/bin/python");
    auto version = fs::read_symlink("/usr/bin/python3").filename();
    packages_ = folder_ / "venv/lib" / version / "site-packages";
    Write(packages_ / "mlflow/__init__.py", "");
    Write(packages_ / "mlflow/pyfunc.py", fmt::format("open({}, 'a').write('x')\n", Quoted(folder_ / "imports")));
    Write(packages_ / "numpy.py", "class random:\n  seed = staticmethod(lambda: None)\n");
    for (const char* name : {"pandas.py", "pyarrow.py"}) Write(packages_ / name, "");
    engine_.interpreter = folder_ / "venv/bin/python";
  }
  ~WorkerTest() override {
    engine_ = {};
    ::unsetenv("TMPDIR");
    ::unsetenv("SLIPWAY_ZYGOTES");
    fs::remove_all(folder_);
  }

  static std::string Quoted(const fs::path& path) { return fmt::format("'{}'", path.string()); }

  /// Runs `body`, which may write to `file`, in a worker.
  Result<std::unique_ptr<Worker>> Run(const PythonEngine& engine, const std::string& body) const {
    PythonProgram program{
        "import os, random, socket, subprocess, sys, time\ndef export(model, output):\n  file = open(output, 'w')\n"};
    for (size_t start = 0, end = 0; start < body.size(); start = end + 1) {
      end = std::min(body.find('\n', start), body.size());
      program.main += "  " + body.substr(start, end - start) + "\n";
    }
    program.main += "  file.close()\n";
    return Worker::Run(engine, {.folder = folder_}, program, folder_ / "output");
  }
  Result<std::unique_ptr<Worker>> Run(const std::string& body) const { return Run(engine_, body); }

  /// What a program writes.
  std::string Written(const PythonEngine& engine, const std::string& body) const {
    auto worker = Run(engine, body);
    if (!worker) return worker.error().message;
    return ReadFile(folder_ / "output", 1 << 20).value_or("nothing");
  }
  std::string Written(const std::string& body) const { return Written(engine_, body); }
  int Parent(const PythonEngine& engine) const {
    return std::atoi(Written(engine, "file.write(str(os.getppid()))").c_str());
  }
  int Parent() const { return Parent(engine_); }
  size_t Imports() const { return ReadFile(folder_ / "imports", 1 << 10).value_or("").size(); }

  fs::path folder_, packages_;
  PythonEngine engine_;
};

TEST_F(WorkerTest, AllAreForkedByOneProcessThatHasImportedTheLibraries) {
  int zygote = Parent();
  EXPECT_GT(zygote, 1);
  EXPECT_NE(zygote, ::getpid());
  auto copy = engine_;
  EXPECT_EQ(Parent(copy), zygote);
  EXPECT_EQ(Imports(), 1U);
  PythonEngine other{.interpreter = engine_.interpreter};
  EXPECT_NE(Parent(other), zygote);
}

TEST_F(WorkerTest, NothingOfAnotherModelIsSeen) {
  int open = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  const std::string look =
      "there = [n for n in map(int, os.listdir('/proc/self/fd')) if os.path.exists(f'/proc/self/fd/{n}')]\n"
      "assert sorted(there) == [0, 1, 2, 3, 4, 5, file.fileno()] and file.fileno() == 6, there\n"
      "assert os.getcwd() == os.environ['HOME'] == os.environ['TMPDIR'], os.getcwd()\n"
      "assert os.listdir('.') == ['output'], os.listdir('.')\n"
      "assert os.stat('.').st_mode & 0o777 == 0o700 and os.getpgid(0) == os.getsid(0) == os.getpid()\n"
      "assert 'left' not in sys.modules and 'LEFT' not in os.environ and sys.flags.isolated\n"
      "names = sorted(os.environ)\n"
      "open('left', 'w').close()\n"
      "os.environ['LEFT'] = '1'\n"
      "sys.modules['left'] = sys\n"
      "file.write(f'{os.getcwd()} {random.random()} {names}')";
  for (bool forked : {true, false}) {
    auto engine = engine_;
    if (!forked) engine.zygotes = nullptr;
    auto first = Written(engine, look), second = Written(engine, look);
    EXPECT_THAT(first, HasSubstr("slipway-private-"));
    EXPECT_THAT(second, HasSubstr("slipway-private-"));
    auto name = [](const std::string& text) { return text.substr(0, text.find(' ')); };
    auto number = [](const std::string& text) { return text.substr(text.find(' '), text.find('[') - text.find(' ')); };
    EXPECT_NE(name(first), name(second));
    EXPECT_NE(number(first), number(second));
    EXPECT_EQ(first.substr(first.find('[')), second.substr(second.find('[')));
    EXPECT_FALSE(fs::exists(name(first)));
  }
  ::close(open);
}

struct HowOneEnds {
  const char *body, *says;
};

/// How workers end, started or forked: the same is told.
TEST_F(WorkerTest, HowItEndsIsTold) {
  const HowOneEnds cases[] = {
      {"os.kill(os.getpid(), 11)", "was ended by signal 11 (Segmentation fault), loading the model"},
      {"os._exit(3)", "ended with status 3, loading the model"},
      {"os.close(3)\ntime.sleep(1000)", "was ended by signal 9 (Killed), loading the model"},
      {"time.sleep(1000)", "took longer than 1 s"},
      {"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass", "took longer than 1 s"},
      {"kept = [b'%d' % k * (1 << 20) for k in range(4096)]", "more than python.memory_mib = 256"},
      {"raise KeyError('no such thing')", "KeyError: 'no such thing'"},
      {"raise SystemExit(4)", "SystemExit: 4"},
  };
  for (bool forked : {true, false}) {
    std::vector<std::jthread> together;
    for (const auto& [body, says] : cases)
      together.emplace_back([this, forked, body, says] {
        auto engine = engine_;
        if (!forked) engine.zygotes = nullptr;
        engine.memory_mib = 256;
        engine.load_seconds = std::string_view(says).starts_with("took longer") ? 1 : 60;
        auto worker = Run(engine, body);
        EXPECT_THAT(worker ? "nothing" : worker.error().message, HasSubstr(says)) << forked;
      });
    together.clear();
    auto engine = engine_;
    if (!forked) engine.zygotes = nullptr;
    EXPECT_EQ(Written(engine, "os.write(1, b'much\\n' * 20000)\nfile.write('fine')"), "fine");
  }
  EXPECT_EQ(Imports(), 1U);
}

TEST_F(WorkerTest, WhatItHasStartedEndsWithIt) {
  auto worker =
      Run("file.write(str(subprocess.Popen(['sleep', '1000']).pid) + ' ')\n"
          "file.write(str(subprocess.Popen(['sleep', '1000'], start_new_session=True).pid))");
  ASSERT_TRUE(worker) << worker.error().message;
  int first = 0, second = 0;
  std::ifstream(folder_ / "output") >> first >> second;
  ASSERT_EQ(::kill(first, 0), 0);
  ASSERT_EQ(::kill(second, 0), 0);
  worker->reset();
  EXPECT_TRUE(Ends(first));
  EXPECT_TRUE(Ends(second));
}

TEST_F(WorkerTest, AZygoteEndsWithItsOwner) {
  int zygote = Parent();
  ASSERT_EQ(::kill(zygote, 0), 0);
  engine_ = {};
  EXPECT_TRUE(Ends(zygote));
}

TEST_F(WorkerTest, AWorkerEndsWithAnOwnerThatIsKilled) {
  auto output = folder_ / "pid";
  auto child = ::fork();
  if (child == 0) {
    engine_.zygotes = MakeZygotes();
    engine_.writable = {folder_};
    auto worker =
        Run("open(" + Quoted(folder_ / "pid.part") + ", 'w').write(f'{os.getpid()} {os.getppid()}')\nos.rename(" +
            Quoted(folder_ / "pid.part") + ", " + Quoted(output) + ")\ntime.sleep(1000)");
    ::_exit(1);
  }
  while (!fs::exists(output)) {
    ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0);
    ::poll(nullptr, 0, 1);
  }
  int worker = 0, zygote = 0;
  std::ifstream(output) >> worker >> zygote;
  ASSERT_EQ(::kill(worker, 0), 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(Ends(worker));
  EXPECT_TRUE(Ends(zygote));
}

TEST_F(WorkerTest, AKilledZygoteTakesItsWorkersAlongAndTheNextOneIsStartedAnew) {
  auto worker = Run("file.write(f'{os.getppid()} {os.getpid()}')");
  ASSERT_TRUE(worker) << worker.error().message;
  int zygote = 0, pid = 0;
  std::ifstream(folder_ / "output") >> zygote >> pid;
  ::kill(zygote, SIGKILL);
  EXPECT_TRUE(Ends(pid));
  auto score = (*worker)->Load(folder_, arrow::schema({}));
  ASSERT_FALSE(score);
  EXPECT_EQ(score.error().kind, ErrorKind::kUnavailable);
  int next = Parent();
  EXPECT_NE(next, zygote);
  EXPECT_GT(next, 1);
  EXPECT_EQ(Imports(), 2U);
}

TEST_F(WorkerTest, AStaleZygoteIsNotUsed) {
  int first = Parent();
  EXPECT_EQ(Parent(), first);
  Write(packages_ / "new.py", "");  // as pip does: the folder's time changes
  int second = Parent();
  EXPECT_NE(second, first);
  EXPECT_EQ(Parent(), second);
  fs::rename(folder_ / "venv", folder_ / "old");  // made anew
  fs::copy(folder_ / "old", folder_ / "venv", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  EXPECT_NE(Parent(), second);
  EXPECT_TRUE(Ends(first));
}

TEST_F(WorkerTest, WithoutAZygoteItIsStarted) {
  const char* broken[] = {
      "raise RuntimeError('broken')", "import os\nos._exit(1)", "import os\nos.kill(os.getpid(), 11)",
      "import threading, time\nthreading.Thread(target=time.sleep, args=[1000], daemon=True).start()"};
  for (const char* text : broken) {
    Write(packages_ / "mlflow/pyfunc.py", text);
    PythonEngine engine{.interpreter = engine_.interpreter};
    auto worker = Run(engine, "file.write(str(os.getppid()))");
    ASSERT_TRUE(worker) << worker.error().message;
    EXPECT_EQ(ParentOf(std::atoi(ReadFile(folder_ / "output", 64).value_or("0").c_str())), ::getpid()) << text;
  }
  PythonEngine nowhere{.interpreter = "/nowhere/python"};
  EXPECT_THAT(Written(nowhere, ""),
              HasSubstr("start /nowhere/python: No such file or directory; see python.interpreter"));
}

TEST_F(WorkerTest, ProcessesMayShareAZygoteWhoseOwnerLives) {
  auto shared = PrivateFolder::Make();
  ASSERT_TRUE(shared);
  ::setenv("SLIPWAY_ZYGOTES", shared->path().c_str(), 1);
  int zygote = Parent(PythonEngine{.interpreter = engine_.interpreter});
  EXPECT_EQ(Parent(PythonEngine{.interpreter = engine_.interpreter}), zygote);
  EXPECT_NE(Parent(PythonEngine{.interpreter = engine_.interpreter, .network = true}), zygote);
  fs::permissions(shared->path(), fs::perms::owner_all | fs::perms::group_read);
  EXPECT_NE(Parent(PythonEngine{.interpreter = engine_.interpreter}), zygote);  // others could have come in
  fs::create_directories(folder_ / "abandoned");
  fs::permissions(folder_ / "abandoned", fs::perms::owner_all);
  ::setenv("SLIPWAY_ZYGOTES", (folder_ / "abandoned").c_str(), 1);
  EXPECT_GT(Parent(PythonEngine{.interpreter = engine_.interpreter}), 1);
  EXPECT_TRUE(fs::is_empty(folder_ / "abandoned"));
}

TEST_F(WorkerTest, AModelWithoutANetworkReachesNoSocket) {
  const std::string tries =
      "folders = [os.path.join(os.environ['TMPDIR'], '..', name) for name in os.listdir(os.environ['TMPDIR'] + "
      "'/..')]\n"
      "sockets = [os.path.join(f, n) for f in folders for n in os.listdir(f) if '.' not in n]\n"
      "assert sockets, folders\n"
      "socket.socketpair()\n"
      "for act in (lambda s: s.connect(sockets[0]), lambda s: s.bind('mine'), lambda s: s.listen()):\n"
      "  try:\n"
      "    act(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))\n"
      "    file.write('reached ')\n"
      "  except PermissionError:\n"
      "    file.write('refused ')\n";
  engine_.readable = {folder_ / "tmp"};
  EXPECT_GT(Parent(), 1);
  EXPECT_EQ(Written(tries), "refused refused refused ");
  auto started = engine_;
  started.zygotes = nullptr;
  EXPECT_EQ(Written(started, tries), "refused refused refused ");
}

TEST_F(WorkerTest, ItIsInABox) {
  if (LandlockVersion() < 6) GTEST_SKIP() << "this kernel's Landlock does not keep signals in";
  const auto place = folder_.string() + "-outside";
  const auto secret = fs::path(place) / "secret";
  Write(secret, "of the platform");
  const std::string tries = fmt::format(
      R"(import ctypes, signal
from pathlib import Path
secret, venv, place = Path({}), Path({}), Path(output).parent
def trace():
  if ctypes.CDLL(None).ptrace(0, 0, None, None): raise PermissionError
def mapped():
  os.memfd_create('x')
tries = [secret.read_text, lambda: secret.write_text(''), secret.unlink, lambda: os.truncate(secret, 0),
         lambda: secret.rename(place / 'mine'), lambda: os.link(secret, place / 'mine'), lambda: os.listdir(secret.parent),
         (venv / 'planted.pth').touch, Path('/tmp/planted').touch, Path('/dev/shm/planted').touch,
         Path(f'/proc/{{os.getppid()}}/environ').read_bytes, lambda: os.kill(os.getppid(), signal.SIGCONT),
         lambda: os.unshare(0) if hasattr(os, 'unshare') else trace(), trace, mapped]
for k, one in enumerate(tries):
  try:
    one()
    file.write(f'{{k}} ')
  except OSError:
    pass
os.chmod(secret, 0o777)
(place / 'scratch').write_text(Path(os.__file__).read_text())
assert subprocess.run(['/bin/echo', 'fine'], capture_output=True).stdout == b'fine\n'
file.write('done'))",
      Quoted(secret), Quoted(packages_));
  for (bool forked : {true, false}) {
    auto engine = engine_;
    if (!forked) engine.zygotes = nullptr;
    EXPECT_EQ(Written(engine, tries), "done") << forked;
    EXPECT_EQ(ReadFile(secret, 64).value_or(""), "of the platform");
    EXPECT_EQ(fs::status(secret).permissions() & fs::perms::others_all, fs::perms::others_read);
    engine.readable = {secret};
    engine.writable = {packages_};
    EXPECT_EQ(Written(engine, tries), "0 7 done") << forked;
    fs::remove(packages_ / "planted.pth");
  }
  fs::remove_all(place);
}

TEST_F(WorkerTest, ItsOutputIsAFile) {
  Write(folder_ / "secret", "of the platform");
  auto linked = Run("os.remove(output)\nos.symlink(" + Quoted(folder_ / "secret") + ", output)");
  ASSERT_FALSE(linked);
  EXPECT_THAT(linked.error().message, HasSubstr("take what the program has written"));
  EXPECT_FALSE(Run("os.remove(output)\nos.mkfifo(output)"));
  EXPECT_FALSE(fs::exists(folder_ / "output"));
}

TEST_F(WorkerTest, ItMayBeAnotherUsers) {
  auto engine = engine_;
  engine.user = "no such user";
  EXPECT_THAT(Written(engine, ""), HasSubstr("python.user = no such user: this machine has no such user"));
  engine.user = "root";
  EXPECT_THAT(Written(engine, ""), HasSubstr("models must not be root's"));
  engine.user = "nobody";
  if (::geteuid() != 0) {
    EXPECT_THAT(Written(engine, ""), HasSubstr("only a process of root"));
    GTEST_SKIP() << "only root may become another user";
  }
  Write(folder_ / "MLmodel", "flavors: {}");
  fs::permissions(folder_ / "MLmodel", fs::perms::owner_read);
  const std::string look =
      "about = os.stat('.')\n"
      "assert (about.st_uid, about.st_mode & 0o777) == (os.getuid(), 0o700), about\n"
      "assert open(os.path.join(model, 'MLmodel')).read() == 'flavors: {}'\n"
      "os.chmod(output, 0o640)\n"
      "assert os.stat(output).st_mode & 0o777 == 0o640\n"
      "file.write(f'{os.getuid()} {os.getgroups()}')";
  for (bool forked : {true, false}) {
    if (!forked) engine.zygotes = nullptr;
    EXPECT_EQ(Written(engine, look), fmt::format("{} []", ::getpwnam("nobody")->pw_uid)) << forked;
  }
}

/// Where this machine has cgroups of version 2 that this user may make; empty: nowhere.
fs::path CgroupsOfThisMachine() {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string device, place, kind, rest; mounts >> device >> place >> kind && std::getline(mounts, rest);)
    if (kind == "cgroup2" && ::access(place.c_str(), W_OK) == 0) return place;
  return {};
}

TEST_F(WorkerTest, ItMayBeInACgroupOfItsOwn) {
  auto engine = engine_;
  engine.cgroup = folder_;
  EXPECT_THAT(Written(engine, ""), HasSubstr("this is no cgroup of version 2"));
  const auto place = CgroupsOfThisMachine(), parent = place / fmt::format("slipway-test-{}", ::getpid());
  if (place.empty() || ::mkdir(parent.c_str(), 0755) != 0) GTEST_SKIP() << "no cgroup of version 2 can be made here";
  engine.cgroup = parent;
  for (bool forked : {true, false}) {
    if (!forked) engine.zygotes = nullptr;
    auto worker = Run(engine,
                      "started = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
                      "file.write(open('/proc/self/cgroup').read())");
    EXPECT_TRUE(worker) << worker.error().message;
    auto name = parent.filename().string() + "/slipway-";
    EXPECT_THAT(ReadFile(folder_ / "output", 4096).value_or(""), HasSubstr(name)) << forked;
  }
  EXPECT_EQ(::rmdir(parent.c_str()), 0) << "something was left in it";
}

TEST_F(WorkerTest, ManyAtOnceWaitForOneZygote) {
  std::vector<int> parents(8);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < parents.size(); ++i)
      threads.emplace_back([&, i] {
        auto output = folder_ / fmt::format("output-{}", i);
        PythonProgram program{"import os\ndef export(model, output): open(output, 'w').write(str(os.getppid()))\n"};
        auto worker = Worker::Run(engine_, {.folder = folder_}, program, output);
        parents[i] = std::atoi(ReadFile(output, 64).value_or("0").c_str());
      });
  }
  EXPECT_THAT(parents, testing::Each(parents[0]));
  EXPECT_GT(parents[0], 1);
  EXPECT_EQ(Imports(), 1U);
}

}  // namespace
}  // namespace slipway::model
