#include "control/operations.h"

#include "control/explanation.h"

namespace torii::control {

std::string_view name_of(SaState state) {
    switch (state) {
        case SaState::larval: return "larval";
        case SaState::mature: return "mature";
        case SaState::dying: return "dying";
        case SaState::dead: return "dead";
    }
    return "unknown";
}

std::string_view name_of(Event::Kind kind) {
    switch (kind) {
        case Event::Kind::acquire: return "acquire";
        case Event::Kind::expire_soft: return "expire_soft";
        case Event::Kind::expire_hard: return "expire_hard";
        case Event::Kind::sequence_exhausted: return "sequence_exhausted";
        case Event::Kind::replayed: return "replayed";
        case Event::Kind::bad_icv: return "bad_icv";
        case Event::Kind::unknown_spi: return "unknown_spi";
        case Event::Kind::selector_mismatch: return "selector_mismatch";
        case Event::Kind::notices_lost: return "notices_lost";
        case Event::Kind::sa_added: return "sa_added";
        case Event::Kind::sa_deleted: return "sa_deleted";
        case Event::Kind::policy_added: return "policy_added";
        case Event::Kind::policy_deleted: return "policy_deleted";
        case Event::Kind::policy_expired: return "policy_expired";
    }
    return "unknown";
}

std::string_view name_of(Explanation::Fate fate) {
    switch (fate) {
        case Explanation::Fate::drop: return "drop";
        case Explanation::Fate::deliver: return "deliver";
        case Explanation::Fate::forward: return "forward";
        case Explanation::Fate::protect: return "protect";
    }
    return "unknown";
}

}  // namespace torii::control
