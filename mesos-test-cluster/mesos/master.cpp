// mesos-master: makes the parts of a Mesos master and joins them, as a start of
// the real program does. With --zk it is a contender in ZooKeeper and keeps its
// registry in a log replicated among a quorum of masters; without, it leads by
// itself and its log has one replica.
#include <filesystem>

#include "program.hpp"

using mesos::master::contender::MasterContender;
using mesos::master::detector::MasterDetector;
using mesos::master::detector::StandaloneMasterDetector;
using namespace mesos::internal;
using namespace mesos::internal::master;

namespace {

constexpr char kRegistryMetrics[] = "registrar/";
constexpr size_t kDiffsBetweenSnapshots = 0;

Duration sessionTimeout(const Arguments& arguments) {
  auto timeout = Duration::parse(arguments.get("zk_session_timeout", "10secs"));
  if (timeout.isError()) fail("bad --zk_session_timeout: " + timeout.error());
  return timeout.get();
}

mesos::state::Storage* makeStorage(const Arguments& arguments) {
  if (arguments.get("registry", "replicated_log") == "in_memory")
    return create<mesos::state::InMemoryStorage>();

  const std::string workDir = arguments.require("work_dir"), path = workDir + "/replicated_log";
  std::filesystem::create_directories(workDir);
  const bool initialize = arguments.enabled("log_auto_initialize", true);
  const Option<std::string> metrics(kRegistryMetrics);
  mesos::log::Log* log;
  Option<std::string> zookeeper = arguments["zk"];
  if (zookeeper.isSome()) {
    auto url = zookeeper::URL::parse(zookeeper.get());
    if (url.isError()) fail("bad --zk: " + url.error());
    const int quorum = atoi(arguments.require("quorum").c_str());
    log = create<mesos::log::Log>(quorum, path, url.get().servers,
                                  sessionTimeout(arguments), url.get().path + "/log_replicas", url.get().authentication,
                                  initialize, metrics);
  } else {
    // An empty set is the same bytes whatever it might hold.
    const std::set<int> none;
    log = create<mesos::log::Log>(1, path, reinterpret_cast<const std::set<process::UPID>&>(none),
                                  initialize, metrics);
  }
  return create<mesos::state::LogStorage>(log, kDiffsBetweenSnapshots);
}

// Without ZooKeeper nobody elects the master: it has to be told that it leads.
// The first to hear who it is, is its contender.
class SelfAppointed : public MasterContender {
 public:
  SelfAppointed(MasterContender* contender, StandaloneMasterDetector* detector)
    : contender(contender), detector(detector) {}

  void initialize(const mesos::MasterInfo& info) override {
    contender->initialize(info);
    detector->appoint(Option<mesos::MasterInfo>(info));
  }

  process::Future<process::Future<Nothing>> contend() override { return contender->contend(); }

 private:
  MasterContender* contender;
  StandaloneMasterDetector* detector;
};

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  auto* flags = create<master::Flags>();
  arguments.loadInto(flags);
  // Their values are of types that are not declared here.
  for (const char* name : {"agent_removal_rate_limit", "firewall_rules", "modules", "hooks"})
    if (arguments[name].isSome()) fail(std::string("--") + name + " has no effect in this master");
  arguments.startProcess("master", "master");

  using DRFAllocator = allocator::HierarchicalAllocatorProcess<allocator::DRFSorter, allocator::DRFSorter>;
  auto* offers = create<allocator::MesosAllocator<DRFAllocator>>();

  const Option<std::string> realm("mesos-master-readonly"), zookeeper = arguments["zk"], module;
  const Option<Duration> timeout(sessionTimeout(arguments));
  auto* state = new mesos::state::State(makeStorage(arguments));
  auto* registrar = create<Registrar>(*flags, state, realm);
  MasterContender* contender =
      valueOf(MasterContender::create(zookeeper, module, timeout), "contender");
  MasterDetector* detector = valueOf(MasterDetector::create(zookeeper, module, timeout), "detector");
  if (!zookeeper.isSome())
    contender = new SelfAppointed(contender, static_cast<StandaloneMasterDetector*>(detector));

  const Option<mesos::Authorizer*> authorizer = authorizerFor(arguments);
  const Option<std::shared_ptr<process::RateLimiter>> noLimit;
  auto* files = create<Files>(realm, authorizer);
  run(create<Master>(offers, registrar, files, contender, detector, authorizer, noLimit, *flags));
}
