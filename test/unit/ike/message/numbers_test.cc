#include "ike/message/numbers.h"
#include "catch.h"

using namespace torii::ike;

TEST_CASE("numbers of IKE are told by the RFC's words, and those we do not know by themselves") {
    CHECK(name_of(ExchangeType::create_child_sa) == "CREATE_CHILD_SA");
    CHECK(name_of(NotifyType::no_proposal_chosen) == "NO_PROPOSAL_CHOSEN");
    CHECK(name_of(NotifyType{40961}) == "notification 40961");
    CHECK(name_of(EncrId{4711}) == "ENCR 4711");
    CHECK(is_error(NotifyType::child_sa_not_found));
    CHECK(!is_error(NotifyType::initial_contact));
}
