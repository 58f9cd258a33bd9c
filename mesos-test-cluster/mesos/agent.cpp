// mesos-agent: makes the parts of a Mesos agent and joins them, as a start of
// the real program does: the Mesos containerizer, the default secret resolver,
// resource estimator and QoS controller, a detector for the master.
#include "program.hpp"

using namespace mesos::internal;
using namespace mesos::internal::slave;

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  auto* flags = create<slave::Flags>();
  arguments.loadInto(flags);
  for (const char* name : {"firewall_rules", "modules", "hooks", "volume_gid_range"})
    if (arguments[name].isSome()) fail(std::string("--") + name + " has no effect in this agent");
  const std::string id("slave(1)");
  arguments.startProcess(id, "agent");

  const Option<std::string> module, realm("mesos-agent-readonly"), master(arguments.require("master"));
  auto timeout = Duration::parse(arguments.get("zk_session_timeout", "10secs"));
  if (timeout.isError()) fail("bad --zk_session_timeout: " + timeout.error());
  const Option<Duration> sessionTimeout(timeout.get());
  const Option<mesos::Authorizer*> authorizer = authorizerFor(arguments);

  auto* fetcher = create<Fetcher>(*flags);
  auto* collector = create<GarbageCollector>(arguments.require("work_dir"));
  auto* updates = create<TaskStatusUpdateManager>(*flags);
  auto* files = create<Files>(realm, authorizer);
  auto* resolver = valueOf(mesos::SecretResolver::create(module), "secret resolver");
  auto* estimator = valueOf(mesos::slave::ResourceEstimator::create(module), "resource estimator");
  auto* qos = valueOf(mesos::slave::QoSController::create(module), "QoS controller");
  auto* containerizer = valueOf(
      Containerizer::create(*flags, false, fetcher, collector, resolver, nullptr, nullptr, nullptr),
      "containerizer");
  auto* detector = valueOf(
      mesos::master::detector::MasterDetector::create(master, module, sessionTimeout), "detector");

  const Option<Slave::DomainSocket> noSocket;
  run(create<Slave>(id, *flags, detector, containerizer, files, collector, updates, estimator, qos,
                    nullptr, nullptr, nullptr, process::Owned<CSIServer>(), noSocket, authorizer));
}
