// mesos-agent: makes the parts of a Mesos agent and joins them, as a start of
// the real program does: the Mesos containerizer, the default secret resolver,
// resource estimator and QoS controller, a detector for the master.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fstream>
#include <sstream>

#include "program.hpp"

using namespace mesos::internal;
using namespace mesos::internal::slave;
using process::network::internal::SocketImpl;

namespace {

// Signs the tokens of executors, if --jwt_secret_key names a key.
mesos::SecretGenerator* secretGeneratorFor(const Arguments& arguments) {
  Option<std::string> path = arguments["jwt_secret_key"];
  if (!path.isSome()) return nullptr;
  std::stringstream key;
  if (!(key << std::ifstream(path.get()).rdbuf())) fail("cannot read " + path.get());
  return create<mesos::authentication::executor::JWTSecretGenerator>(key.str());
}

// The socket at --domain_socket_location that executors may use in place of TCP.
std::shared_ptr<SocketImpl> executorSocket(const Arguments& arguments) {
  const std::string path = arguments.require("domain_socket_location");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) fail("too long for a domain socket: " + path);
  path.copy(address.sun_path, path.size());
  unlink(path.c_str());
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0 || bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      chmod(path.c_str(), 0666) != 0)
    fail("cannot make the domain socket " + path + ": " + strerror(errno));
  return valueOf(SocketImpl::create(descriptor, SocketImpl::Kind::POLL), "domain socket");
}

}  // namespace

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

  using Socket = Option<Slave::DomainSocket>;
  const Socket socket = arguments.enabled("http_executor_domain_sockets", false)
      ? Socket(Slave::DomainSocket(executorSocket(arguments))) : Socket();
  run(create<Slave>(id, *flags, detector, containerizer, files, collector, updates, estimator, qos,
                    secretGeneratorFor(arguments), nullptr, nullptr, process::Owned<CSIServer>(), socket,
                    authorizer));
}
