// No allocation, no lock and no system call per packet, shown: while a worker turns, the process's own allocator and
// mutex are counted, and in a child process any system call at all is fatal.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <mutex>

#include "catch.h"
#include "test/support/counted.h"
#include "test/unit/gateway/office.h"

namespace {

using namespace torii;
using namespace torii::test;

constexpr int no_filters = 255, wrong_work = 254;

/// At once, and not called noreturn: before those, and in its own _exit, the address sanitizer makes system calls.
void end(int status) { syscall(SYS_exit_group, status); }

/// From now on the first system call of this process, but for its end, ends it with the call's number as its status.
void end_at_system_calls() {
    struct sigaction at_call {};
    at_call.sa_flags = SA_SIGINFO;
    at_call.sa_sigaction = [](int, siginfo_t* caught, void*) { end(caught->si_syscall); };
    sigaction(SIGSYS, &at_call, nullptr);
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    const sock_fprog program{static_cast<unsigned short>(std::size(rules)), rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        end(no_filters);
}

/// The number of the first system call that `work` makes, in a process of its own; 0 when it makes none.
template <class Work>
int first_system_call(Work work) {
    const pid_t child = fork();
    if (child == 0) {
        end_at_system_calls();
        work();
        end(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/// Both ways through one gateway, every suite that the office uses, warmed up: the frames of a burst.
struct Busy {
    Busy() : tokyo(office_configuration()) {
        tokyo.setkey(office_setkey);
        tokyo.setkey(R"(
            add 20.0.0.1 20.0.0.2 esp 0x1003 -m tunnel -u 7 -E aes-cbc "sixteen-octets-3"
                -A hmac-sha256 "thirty-two-octets-for-sha256-3-3";
            spdadd 10.0.1.0/24 10.0.3.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique:7;
            spdadd 10.0.11.0/24 10.0.1.0/24 any -P in none;
        )");
        for (int i = 0; i < 3; ++i) {
            fill();
            tokyo.turn();
            tokyo.sent_by(world);
            tokyo.sent_by(office);
        }
        fill();
    }
    void fill() {
        for (std::uint16_t i = 0; i < 16; ++i) {
            tokyo.send(office, ethernet(ipv4("10.0.1.5", "10.0.2.5", 17, udp(i, 5000, Octets(200)))));
            tokyo.send(office, ethernet(ipv4("10.0.1.5", "10.0.3.5", 17, udp(i, 5000, Octets(200)))));
            tokyo.send(world, ethernet(ipv4("10.0.11.5", "10.0.1.5", 17, udp(i, 5000, Octets(200)))));
            tokyo.send(world, ethernet(ipv4("10.0.2.5", "10.0.1.5", 17, udp(i, 5000, Octets(200)))));  // dropped
        }
    }
    Wires tokyo;
};

}  // namespace

TEST_CASE("a worker allocates nothing and takes no lock per packet") {
    Busy busy;
    start_counting();
    const std::size_t moved = busy.tokyo.gateway().worker(0).turn();
    const Counted turn = stop_counting();
    CHECK(moved == 64);
    CHECK(turn.allocations == 0);
    CHECK(turn.locks == 0);

    start_counting();  // and the counters count
    {
        std::mutex mutex;
        const std::scoped_lock lock{mutex};
        std::vector<int> some(10);
        asm volatile("" : : "r"(some.data()) : "memory");
    }
    const Counted own = stop_counting();
    CHECK(own.allocations == 1);
    CHECK(own.locks == 1);
}

TEST_CASE("a worker makes no system call per packet") {
    Busy busy;
    const int call = first_system_call([&] {
        if (busy.tokyo.gateway().worker(0).turn() != 64) end(wrong_work);
    });
    if (call == no_filters) {
        WARN("this kernel has no seccomp filters: not shown");
        return;
    }
    CHECK(call == 0);
    CHECK(first_system_call([] { syscall(SYS_getppid); }) == SYS_getppid);  // and a call is noticed
}
