// mesos-containerizer: what an agent starts in each container, from its launcher
// folder, to prepare it and become the executor's command. Of the real program's
// subcommands only `launch` is here; the isolators in use need no other.
#include "program.hpp"

using mesos::internal::slave::MesosContainerizerLaunch;

int main(int argc, char** argv) {
  if (argc < 2 || strcmp(argv[1], "launch") != 0)
    fail("only `mesos-containerizer launch` is available");

  // The launcher has no constructor to call: it is a name, unused flags and,
  // at this offset, the flags that its work is read from.
  constexpr size_t kFlagsOffset = 0xe0;
  auto* launcher = static_cast<char*>(calloc(1, 1 << 20));
  auto* launchFlags = new (launcher + kFlagsOffset) MesosContainerizerLaunch::Flags();
  asm("" : "+r"(launchFlags));  // forget the dynamic type, see create
  const Option<std::string> prefix("MESOS_CONTAINERIZER_");
  auto loaded = static_cast<flags::FlagsBase*>(launchFlags)->load(prefix, argc - 1, argv + 1, false, false);
  if (loaded.isError()) fail(loaded.error());
  return reinterpret_cast<MesosContainerizerLaunch*>(launcher)->execute();
}
