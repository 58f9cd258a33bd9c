// What the master's and the agent's programs have in common: reading flags,
// making objects, failing in one line.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <cctype>
#include <cstring>

#include "library.hpp"

[[noreturn]] inline void fail(const std::string& message) {
  fprintf(stderr, "error: %s\n", message.c_str());
  exit(1);
}

// Makes an object of the library's. Nothing here knows its true size, so it gets
// a megabyte, of which the system hands out only the pages that are touched.
// Never inlined: the compiler must not know the dynamic type of the result, so
// that it looks the place of a virtual base up instead of working it out.
template <typename T, typename... Arguments>
__attribute__((noinline)) T* create(Arguments&&... arguments) {
  void* room = calloc(1, 1 << 20);
  return new (room) T(std::forward<Arguments>(arguments)...);
}

// The value of a Try, or the end of the program.
template <typename T>
T& valueOf(Try<T>&& result, const char* what) {
  if (result.isError()) fail(std::string("cannot make the ") + what + ": " + result.error());
  return result.get();
}

// The flags of one program: --name=value arguments, or MESOS_NAME variables for
// those not given so. Mesos's own flag objects check and keep them all; the few
// that its `main` functions act on are looked up here by name, for the members of
// those objects are not declared.
class Arguments {
 public:
  Arguments(int argc, char** argv) : argc(argc), argv(argv) {}

  Option<std::string> operator[](const std::string& name) const {
    const std::string start = "--" + name + "=";
    for (int i = argc - 1; i > 0; --i) {
      if (start.compare(0, start.size(), argv[i], strnlen(argv[i], start.size())) == 0)
        return Option<std::string>(argv[i] + start.size());
    }
    std::string variable = "MESOS_" + name;
    for (char& letter : variable) letter = toupper(letter);
    if (const char* value = getenv(variable.c_str())) return Option<std::string>(value);
    return Option<std::string>();
  }

  std::string get(const std::string& name, const std::string& otherwise) const {
    Option<std::string> value = (*this)[name];
    return value.isSome() ? value.get() : otherwise;
  }

  std::string require(const std::string& name) const {
    Option<std::string> value = (*this)[name];
    if (!value.isSome()) fail("--" + name + " is missing");
    return value.get();
  }

  bool enabled(const std::string& name, bool otherwise) const {
    const std::string value = get(name, otherwise ? "true" : "false");
    return value == "true" || value == "1";
  }

  // Has Mesos check every flag; one it does not know or like ends the program.
  void loadInto(flags::FlagsBase* flags) const {
    auto loaded = flags->load(Option<std::string>("MESOS_"), argc, argv, false, false);
    if (loaded.isError()) fail(loaded.error());
    for (const auto& warning : loaded.get().warnings)
      fprintf(stderr, "warning: %s\n", warning.message.c_str());
  }

  // Starts logging and libprocess on the address that --ip and --port name.
  void startProcess(const std::string& name, const std::string& component) const {
    google::InitGoogleLogging(argv[0]);
    fLB::FLAGS_logtostderr = true;
    setenv("LIBPROCESS_IP", require("ip").c_str(), 1);
    setenv("LIBPROCESS_PORT", require("port").c_str(), 1);
    advertise("advertise_ip", "LIBPROCESS_ADVERTISE_IP");
    advertise("advertise_port", "LIBPROCESS_ADVERTISE_PORT");
    const Option<std::string> delegate(name);
    const Option<std::string> readwrite("mesos-" + component + "-readwrite");
    const Option<std::string> readonly("mesos-" + component + "-readonly");
    process::initialize(delegate, readwrite, readonly);
    process::spawn(create<mesos::internal::VersionProcess>(), true);
  }

 private:
  // Says where others are to connect, if not to where it listens.
  void advertise(const std::string& name, const char* variable) const {
    Option<std::string> value = (*this)[name];
    if (value.isSome()) setenv(variable, value.get().c_str(), 1);
  }

  int argc;
  char** argv;
};

// The authorizer that --acls asks for, if it does.
inline Option<mesos::Authorizer*> authorizerFor(const Arguments& arguments) {
  Option<std::string> acls = arguments["acls"];
  if (!acls.isSome()) return Option<mesos::Authorizer*>();
  // Kept for good: the authorizer may refer to it, and its true size is unknown.
  auto* parsed = new (calloc(1, 1 << 20)) Try<mesos::ACLs>(flags::fetch<mesos::ACLs>(acls.get()));
  if (parsed->isError()) fail("bad --acls");
  return Option<mesos::Authorizer*>(
      valueOf(mesos::Authorizer::create(parsed->get()), "authorizer"));
}

// Runs a process of the library's until a signal ends the program.
[[noreturn]] inline void run(process::ProcessBase* process) {
  process::spawn(process, false);
  for (;;) pause();
}
