// The one interface behind every front door. Implemented by gateway::Gateway, and by a fake in the front doors' tests.
// Every call is made on the control thread and returns at once; none waits for a worker.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "control/captured.h"
#include "control/explanation.h"
#include "control/ike_datagram.h"
#include "control/operations.h"
#include "control/status.h"

namespace torii::control {

class ControlPlane {
public:
    virtual ~ControlPlane() = default;

    /// Applies all operations in order, or none: on an error nothing has changed, nothing was published, and the
    /// error's message starts with the failing operation's `where`. Workers see the result as one change per SA and
    /// one change of the SPD.
    virtual Result<std::vector<Outcome>> apply(std::vector<Located> transaction) = 0;
    /// Until the returned handle goes, workers do not see what is applied, and listeners are not told: many
    /// transactions, each of which may fail by itself, are one change of the SPD then, which is what costs.
    virtual std::shared_ptr<void> hold() = 0;
    /// An inbound SA with this SPI is being negotiated. The peer may send by it before we can make it: its first packets
    /// wait as long as those that want an SA to leave by (net.key.larval_lifetime). 64 are remembered.
    virtual void expect(Spi spi) = 0;

    /// In order of creation; false from `visit` ends the walk.
    virtual void each_sa(const std::function<bool(const SaView&)>& visit) const = 0;
    virtual Result<void> with_sa(const SaId& id, const std::function<void(const SaView&)>& visit) const = 0;
    /// Inbound in search order, then outbound.
    virtual void each_policy(const std::function<bool(const PolicyView&)>& visit) const = 0;

    using Listener = std::function<void(const Event&)>;
    /// The listener is called on the control thread until the returned handle goes.
    virtual std::shared_ptr<void> listen(Listener listener) = 0;

    /// Every setting that may be changed while the gateway runs (control/settings.h), in the order of their table.
    virtual std::vector<SettingStatus> settings() const = 0;
    /// Changes one, for workers as one change. Errors: not_found, with the nearest name; bad_value, with what is right.
    virtual Result<void> set(std::string_view name, std::string_view value) = 0;

    virtual std::vector<PortStatus> ports() const = 0;
    virtual std::vector<RouteStatus> routes() const = 0;
    virtual std::vector<NeighbourStatus> neighbours() const = 0;
    virtual std::vector<DropStatus> drops() const = 0;     // every reason, also those that never happened
    virtual std::vector<FilterStatus> filter() const = 0;  // each hook's rules in order, then its default
    virtual std::vector<StatStatus> stats() const = 0;     // every counter of each family, also those that are 0
    virtual std::vector<WorkerStatus> workers() const = 0;
    virtual std::vector<CryptoStatus> crypto() const = 0;
    virtual VersionStatus version() const = 0;
    /// The exemptions that stand before the SPD, one sentence each: own ARP, ND, IKE (shown in `show policy`).
    virtual std::vector<std::string> exemptions() const = 0;
    /// The listener gets the packets of these hooks on the control thread until the returned handle goes; it must not
    /// let the handle go itself. Errc::exists: somebody captures already.
    virtual Result<std::shared_ptr<void>> capture(CaptureHooks hooks, CaptureListener listener) = 0;
    /// The receiver gets the IKE messages to our own addresses until the returned handle goes: well-formed UDP, whole,
    /// and in clear whatever policies say. Errc::exists: somebody receives already.
    virtual Result<std::shared_ptr<void>> receive_ike(IkeReceiver receiver) = 0;
    /// Sends one in clear, whatever policies say, in IP fragments where the way is too narrow. The local port tells
    /// whether four octets of zero go in front. Errors: bad_value, `local` is not ours, `remote` is, the families
    /// differ or the message is too long; not_found, there is no route; no_room, too much is on its way already.
    virtual Result<void> send_ike(const IkeDatagram& datagram) = 0;
    /// Walks a packet that nobody sent through the live tables. Errc::not_found: there is no such port;
    /// Errc::bad_value: its addresses are of two families.
    virtual Result<Explanation> explain(const Question& question) const = 0;
};

}  // namespace torii::control
