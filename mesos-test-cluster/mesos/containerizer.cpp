// mesos-containerizer: what an agent starts from its launcher folder to prepare a
// container: `launch` becomes the executor's command, `network-cni-setup` gives a
// container with an image its files about host and network. Of the real program's
// subcommands only these are here; the isolators in use need no other.
#include "program.hpp"

using namespace mesos::internal::slave;

// A container with an image has some files of /proc mounted read-only. Not every
// kernel has them all: a mount of what is nowhere is left out, as later versions do.
void leaveOut(const std::string& file) {
  const char* const kVariable = "MESOS_CONTAINERIZER_LAUNCH_INFO";
  const char* value = getenv(kVariable);
  if (value == nullptr || access(file.c_str(), F_OK) == 0) return;
  std::string info(value);
  for (size_t at; (at = info.find(file + "\",\"target\":")) != std::string::npos;) {
    const size_t begin = info.rfind('{', at), end = info.find('}', at);
    const bool isLast = info[end + 1] != ',';
    info.erase(begin - (isLast ? 1 : 0), end + 2 - begin);
  }
  setenv(kVariable, info.c_str(), 1);
}

// A subcommand with the flags that it is given. It has no constructor to call: it
// is a name, unused flags and, at this offset, the flags that its work is read from.
template <typename Subcommand>
int executed(int argc, char** argv) {
  constexpr size_t kFlagsOffset = 0xe0;
  auto* subcommand = static_cast<char*>(calloc(1, 1 << 20));
  auto* itsFlags = new (subcommand + kFlagsOffset) typename Subcommand::Flags();
  asm("" : "+r"(itsFlags));  // forget the dynamic type, see create
  const Option<std::string> prefix("MESOS_CONTAINERIZER_");
  auto loaded = static_cast<flags::FlagsBase*>(itsFlags)->load(prefix, argc - 1, argv + 1, false, false);
  if (loaded.isError()) fail(loaded.error());
  return reinterpret_cast<Subcommand*>(subcommand)->execute();
}

int main(int argc, char** argv) {
  const std::string name(argc < 2 ? "" : argv[1]);
  leaveOut("/proc/sysrq-trigger");
  if (name == "launch") return executed<MesosContainerizerLaunch>(argc, argv);
  if (name == "network-cni-setup") return executed<NetworkCniIsolatorSetup>(argc, argv);
  fail("only `mesos-containerizer launch` and `network-cni-setup` are available");
}
