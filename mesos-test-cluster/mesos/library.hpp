// The part of Apache Mesos 1.11.0 that a master and an agent are started with,
// declared under Mesos's own names so that the compiler itself derives the
// symbols which the published shared object exports.
//
// Only names and signatures matter here. No class has its true members: objects
// are made by `create`, which gives each more room than it can need, are never
// copied and live as long as the process. What must be true is the shape of the
// few templates passed by value (Option, Try) and which bases are virtual: where
// those stand is read from the library's own tables at run time. (A virtual base
// needs some member here, or the compiler would take it for an empty one, which
// has no entry of its own in such a table.)
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <utility>
#include <vector>

// stout: a value or nothing, a value or an error.
template <typename T>
class Option {
 public:
  Option() : state(NONE) {}
  Option(const T& some) : state(SOME), value(some) {}
  ~Option() { if (state == SOME) value.~T(); }
  Option(const Option&) = delete;
  bool isSome() const { return state == SOME; }
  T& get() { return value; }

 private:
  enum { SOME, NONE } state;
  union { T value; };
};

struct Nothing {};

class Error {
 public:
  std::string message;
};

template <typename T, typename E = Error>
class Try {
 public:
  ~Try() {}
  bool isError() { return !data.isSome(); }
  const std::string& error() { return failure.get().message; }
  T& get() { return data.get(); }

 private:
  Option<T> data;
  Option<E> failure;
};

class Duration {
 public:
  static Try<Duration> parse(const std::string& text);
  int64_t nanoseconds;
};

// glog, which the library brings along.
namespace google {
void InitGoogleLogging(const char* program);
}
namespace fLB {
extern bool FLAGS_logtostderr;
}

namespace flags {
struct Warning { std::string message; };
struct Warnings { std::vector<Warning> warnings; };

class FlagsBase {
 public:
  virtual ~FlagsBase();
  Try<Warnings> load(const Option<std::string>& prefix, int argc,
                     const char* const* argv, bool unknowns, bool duplicates);
  char members[176];
};

template <typename T>
Try<T> fetch(const std::string& inlineOrFileUrl);
}  // namespace flags

namespace process {
class UPID;
class RateLimiter;

class ProcessBase {
 public:
  virtual ~ProcessBase();
  char members[40];
};

template <typename T>
class Future {
 public:
  ~Future() {}

 private:
  std::shared_ptr<void> data;
};

template <typename T>
class Owned {
 private:
  std::shared_ptr<void> data;
};

struct SpawnedPid { ~SpawnedPid() {} char members[4096]; };
SpawnedPid spawn(ProcessBase* process, bool manage);

bool initialize(const Option<std::string>& delegate,
                const Option<std::string>& readwriteRealm,
                const Option<std::string>& readonlyRealm);

namespace network {
namespace unix {
class Address;
}
namespace internal {
class SocketImpl {
 public:
  enum class Kind { POLL };
  static Try<std::shared_ptr<SocketImpl>> create(int descriptor, Kind kind);
};
template <typename Address>
struct Socket {
  Socket(std::shared_ptr<SocketImpl> implementation) : implementation(std::move(implementation)) {}
  std::shared_ptr<SocketImpl> implementation;
};
}  // namespace internal
}  // namespace network
}  // namespace process

namespace zookeeper {
struct Authentication { std::string scheme, credentials; };

struct URL {
  static Try<URL> parse(const std::string& url);
  Option<Authentication> authentication;
  std::string servers, path;
};
}  // namespace zookeeper

namespace mesos {
class ACLs {
 public:
  ~ACLs();
  alignas(8) char members[4096];
};

class MasterInfo {
 public:
  MasterInfo(const MasterInfo& that);
  ~MasterInfo();
  alignas(8) char members[4096];
};

class Authorizer {
 public:
  static Try<Authorizer*> create(const ACLs& acls);
};

class SecretGenerator {};
namespace authentication {
namespace executor {
class JWTSecretGenerator : public SecretGenerator {
 public:
  explicit JWTSecretGenerator(const std::string& key);
};
}  // namespace executor
}  // namespace authentication

class SecretResolver {
 public:
  static Try<SecretResolver*> create(const Option<std::string>& module);
};

namespace allocator {
class Allocator {};
}

namespace log {
class Log {
 public:
  Log(int quorum, const std::string& path, const std::set<process::UPID>& peers,
      bool initialize, const Option<std::string>& metrics);
  Log(int quorum, const std::string& path, const std::string& servers,
      const Duration& timeout, const std::string& znode,
      const Option<zookeeper::Authentication>& authentication, bool initialize,
      const Option<std::string>& metrics);
};
}  // namespace log

namespace state {
class Storage {};
class InMemoryStorage : public Storage {
 public:
  InMemoryStorage();
};
class LogStorage : public Storage {
 public:
  LogStorage(log::Log* log, size_t diffsBetweenSnapshots);
};

// Defined in a header of Mesos, so this one is real.
class State {
 public:
  explicit State(Storage* storage) : storage(storage) {}
  virtual ~State() {}

 private:
  Storage* storage;
};
}  // namespace state

namespace master {
namespace contender {
class MasterContender {
 public:
  static Try<MasterContender*> create(const Option<std::string>& zookeeper,
                                      const Option<std::string>& module,
                                      const Option<Duration>& sessionTimeout);
  virtual ~MasterContender();
  virtual void initialize(const MasterInfo& info) = 0;
  virtual process::Future<process::Future<Nothing>> contend() = 0;
};
}  // namespace contender
namespace detector {
class MasterDetector {
 public:
  static Try<MasterDetector*> create(const Option<std::string>& zookeeper,
                                     const Option<std::string>& module,
                                     const Option<Duration>& sessionTimeout);
};
class StandaloneMasterDetector : public MasterDetector {
 public:
  void appoint(const Option<MasterInfo>& leader);
};
}  // namespace detector
}  // namespace master

namespace slave {
class ResourceEstimator {
 public:
  static Try<ResourceEstimator*> create(const Option<std::string>& module);
};
class QoSController {
 public:
  static Try<QoSController*> create(const Option<std::string>& module);
};
}  // namespace slave

namespace internal {
class PendingFutureTracker;

namespace logging {
class Flags : public virtual ::flags::FlagsBase {
 public:
  virtual ~Flags();
  char members[40];
};
}  // namespace logging

class Files {
 public:
  Files(const Option<std::string>& realm, const Option<Authorizer*>& authorizer);
};

class VersionProcess : public virtual process::ProcessBase {
 public:
  VersionProcess();
  virtual ~VersionProcess();
};

namespace master {
class Flags : public virtual logging::Flags {
 public:
  Flags();
  virtual ~Flags();
};

namespace allocator {
class DRFSorter;
template <typename RoleSorter, typename FrameworkSorter>
class HierarchicalAllocatorProcess;
template <typename Process>
class MesosAllocator : public mesos::allocator::Allocator {
 public:
  MesosAllocator();
};
}  // namespace allocator

class Registrar {
 public:
  Registrar(const Flags& flags, state::State* state, const Option<std::string>& realm);
};

class Master : public virtual process::ProcessBase {
 public:
  Master(mesos::allocator::Allocator* allocator, Registrar* registrar, Files* files,
         mesos::master::contender::MasterContender* contender,
         mesos::master::detector::MasterDetector* detector,
         const Option<Authorizer*>& authorizer,
         const Option<std::shared_ptr<process::RateLimiter>>& agentRemovalLimiter,
         const Flags& flags);
  virtual ~Master();
};
}  // namespace master

namespace slave {
class Flags : public virtual logging::Flags {
 public:
  Flags();
  virtual ~Flags();
};

class CSIServer;
class VolumeGidManager;

class Fetcher {
 public:
  explicit Fetcher(const Flags& flags);
};
class GarbageCollector {
 public:
  explicit GarbageCollector(const std::string& workDir);
};
class TaskStatusUpdateManager {
 public:
  explicit TaskStatusUpdateManager(const Flags& flags);
};
class Containerizer {
 public:
  static Try<Containerizer*> create(const Flags& flags, bool local, Fetcher* fetcher,
                                    GarbageCollector* collector,
                                    SecretResolver* resolver, VolumeGidManager* gids,
                                    PendingFutureTracker* futures, CSIServer* csi);
};

class MesosContainerizerLaunch {
 public:
  class Flags : public virtual ::flags::FlagsBase {
   public:
    Flags();
    virtual ~Flags();
  };
  int execute();
};

class NetworkCniIsolatorSetup {
 public:
  class Flags : public virtual ::flags::FlagsBase {
   public:
    Flags();
    virtual ~Flags();
  };
  int execute();
};

class Slave : public virtual process::ProcessBase {
 public:
  using DomainSocket = process::network::internal::Socket<process::network::unix::Address>;

  Slave(const std::string& id, const Flags& flags,
        mesos::master::detector::MasterDetector* detector, Containerizer* containerizer,
        Files* files, GarbageCollector* collector, TaskStatusUpdateManager* updates,
        mesos::slave::ResourceEstimator* estimator, mesos::slave::QoSController* qos,
        SecretGenerator* secrets, VolumeGidManager* gids, PendingFutureTracker* futures,
        process::Owned<CSIServer>&& csi, const Option<DomainSocket>& executorSocket,
        const Option<Authorizer*>& authorizer);
  virtual ~Slave();
};
}  // namespace slave
}  // namespace internal
}  // namespace mesos
