// The retire list against two workers that are only a promise: the test says when each is quiescent, and what the rings
// between them hold.
#include "dataplane/retire_list.h"
#include "catch.h"
#include "dataplane/worker.h"

using namespace torii;

namespace {

struct TwoWorkers {
    TwoWorkers() {
        void* memory = nullptr;
        REQUIRE(posix_memalign(&memory, RTE_CACHE_LINE_SIZE, rte_rcu_qsbr_get_memsize(2)) == 0);
        workers.reset(static_cast<rte_rcu_qsbr*>(memory));
        rte_rcu_qsbr_init(workers.get(), 2);
        for (unsigned worker = 0; worker < 2; ++worker) {
            rte_rcu_qsbr_thread_register(workers.get(), worker);
            rte_rcu_qsbr_thread_online(workers.get(), worker);
        }
        for (const char* name : {"retire_there", "retire_back"})
            rings.emplace_back(rte_ring_create(name, 16, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ));
        list =
            std::make_unique<RetireList>(workers.get(), std::vector<const rte_ring*>{rings[0].get(), rings[1].get()});
        list->add([this] { freed = true; });
    }
    void quiescent(unsigned worker) { rte_rcu_qsbr_quiescent(workers.get(), worker); }
    void put(std::size_t ring) { REQUIRE(rte_ring_sp_enqueue(rings[ring].get(), &packet) == 0); }
    void take(std::size_t ring) {
        void* taken = nullptr;
        REQUIRE(rte_ring_sc_dequeue(rings[ring].get(), &taken) == 0);
    }
    void turn() {
        list->poll();
        quiescent(0);
        quiescent(1);
    }

    struct Release {
        void operator()(rte_rcu_qsbr* state) const { free(state); }
    };
    std::unique_ptr<rte_rcu_qsbr, Release> workers;
    std::vector<RingPtr> rings;
    int packet = 0;
    bool freed = false;
    std::unique_ptr<RetireList> list;
};

}  // namespace

TEST_CASE("what is retired is freed once every worker was quiescent, and not before") {
    TwoWorkers two;
    for (unsigned i = 0; i < 20; ++i) {
        two.list->poll();
        two.quiescent(0);
    }
    CHECK_FALSE(two.freed);
    for (unsigned i = 0; i < 20; ++i) two.turn();
    CHECK(two.freed);
    CHECK(two.list->empty());
}

TEST_CASE("what is retired outlives a packet that waits in a hand-over ring") {
    TwoWorkers two;
    two.put(0);
    for (unsigned i = 0; i < 20; ++i) two.turn();
    CHECK_FALSE(two.freed);
    two.take(0);
    for (unsigned i = 0; i < 20; ++i) two.turn();
    CHECK(two.freed);
}

TEST_CASE("what is retired outlives a packet that is handed over a second time") {
    TwoWorkers two;
    two.put(0);
    for (unsigned i = 0; i < 20; ++i) two.turn();
    two.take(0);
    two.list->poll();  // the first ring has moved on
    two.quiescent(0);  // worker 0 looks at the second ring, and only then worker 1 puts the packet there
    two.put(1);
    two.quiescent(1);
    for (unsigned i = 0; i < 20; ++i) two.turn();
    CHECK_FALSE(two.freed);
    two.take(1);
    for (unsigned i = 0; i < 20; ++i) two.turn();
    CHECK(two.freed);
}

TEST_CASE("shutdown frees everything at once") {
    TwoWorkers two;
    two.put(0);
    two.turn();
    two.list->add([] {});
    two.list->free_all();
    CHECK(two.freed);
    CHECK(two.list->empty());
}
