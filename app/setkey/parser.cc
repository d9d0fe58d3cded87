// The statements: which productions each has, and what each becomes at the control seam.
#include <algorithm>
#include <iterator>

#include "app/setkey/grammar.h"
#include "app/setkey/setkey.h"

namespace torii::setkey {
namespace {

class Parser {
public:
    Parser(std::string_view text, std::string_view file_name) : in_(text, file_name) {}

    Result<Program> parse() {
        while (in_.token().kind != Token::Kind::end && !left_) TORII_CHECK(statement());
        program_.legacy = in_.says_legacy();
        program_.warnings = in_.warnings();
        return std::move(program_);
    }

private:
    using Production = Result<void> (Parser::*)();
    static Production production_of(const Token& name);  // null: there is no such statement

    Result<void> statement() {
        const Token name = in_.token();
        const Production production = production_of(name);
        if (!production) return in_.fail(Errc::bad_syntax, "this is no setkey statement");
        if (++count_ > max_statements)
            return in_.fail(Errc::no_room, "a text takes at most " + std::to_string(max_statements) + " statements");
        where_ = in_.where(name.line);
        in_.take();
        TORII_CHECK((this->*production)());
        return in_.end_statement();
    }

    void emit(control::Operation operation) {
        program_.operations.push_back({std::move(operation), std::move(where_)});
    }
    void ask(Query query) {
        query.where = std::move(where_);
        (program_.operations.empty() ? program_.queries_before : program_.queries_after).push_back(std::move(query));
    }

    Result<void> add() {
        TORII_TRY(auto spec, parse_sa(in_));
        emit(control::AddSa{std::move(spec)});
        return {};
    }
    Result<void> update() {
        TORII_TRY(auto spec, parse_sa(in_));
        emit(control::UpdateSa{std::move(spec)});
        return {};
    }
    /// An SA's name, and options that KAME takes here as well.
    Result<control::SaSpec> named_sa() {
        control::SaSpec spec;
        TORII_TRY(spec.id, parse_sa_id(in_));
        TORII_CHECK(parse_extensions(in_, spec));
        return spec;
    }
    Result<void> getspi() {
        TORII_TRY(const auto spec, named_sa());
        emit(control::GetSpi{spec.id, spec.mode, spec.reqid});
        return {};
    }
    Result<void> remove() {
        TORII_TRY(const auto spec, named_sa());
        emit(control::DeleteSa{spec.id});
        return {};
    }
    Result<void> remove_all() {
        TORII_TRY(const auto addresses, parse_addresses(in_));
        TORII_TRY(const auto protocol, parse_protocol_filter(in_));
        emit(control::DeleteAllSas{addresses.source, addresses.destination, protocol});
        return {};
    }
    Result<void> get() {
        TORII_TRY(const auto spec, named_sa());
        ask({Query::Kind::get, spec.id, {}, {}});
        return {};
    }
    Result<void> flush() {
        TORII_TRY(const auto protocol, parse_protocol_filter(in_));
        emit(control::FlushSas{protocol});
        return {};
    }
    Result<void> dump() {
        TORII_TRY(const auto protocol, parse_protocol_filter(in_));
        ask({Query::Kind::dump, {}, protocol, {}});
        return {};
    }

    /// What stands before -P, and the direction behind it.
    Result<Policy> policy_head() {
        if (in_.token().is("tagged")) return in_.fail(Errc::unsupported, "packet tags are not offered");
        Policy policy;
        TORII_TRY(policy.selector, parse_selector(in_));
        if (in_.token().is("-ctx")) return in_.fail(Errc::unsupported, "security contexts are not offered");
        if (!in_.token().is("-P")) return in_.fail(Errc::bad_syntax, "-P and a policy are needed here");
        in_.begin_policy();
        TORII_TRY(policy.direction, parse_direction(in_));
        return policy;
    }
    Result<Policy> policy() {
        TORII_TRY(auto policy, policy_head());
        TORII_CHECK(parse_action(in_, policy));
        return policy;
    }
    Result<void> spdadd() {
        TORII_TRY(auto added, policy());
        emit(control::AddPolicy{std::move(added)});
        return {};
    }
    Result<void> spdupdate() {
        TORII_TRY(auto updated, policy());
        emit(control::UpdatePolicy{std::move(updated)});
        return {};
    }
    Result<void> spddelete() {  // the direction is enough; a whole policy is taken as well, as KAME does
        TORII_TRY(auto policy, policy_head());
        if (!in_.token().is(';')) TORII_CHECK(parse_action(in_, policy));
        emit(control::DeletePolicy{policy.direction, policy.selector});
        return {};
    }
    Result<void> spddump() {
        ask({Query::Kind::spddump, {}, {}, {}});
        return {};
    }
    Result<void> spdflush() {
        emit(control::FlushPolicies{});
        return {};
    }
    Result<void> leave() {
        left_ = true;
        return {};
    }

    Cursor in_;
    Program program_;
    std::string where_;  // of the statement in hand
    std::size_t count_ = 0;
    bool left_ = false;
};

Parser::Production Parser::production_of(const Token& name) {
    static constexpr std::pair<std::string_view, Production> productions[] = {
        {"add", &Parser::add},
        {"update", &Parser::update},
        {"getspi", &Parser::getspi},
        {"delete", &Parser::remove},
        {"deleteall", &Parser::remove_all},
        {"get", &Parser::get},
        {"flush", &Parser::flush},
        {"dump", &Parser::dump},
        {"spdadd", &Parser::spdadd},
        {"spdupdate", &Parser::spdupdate},
        {"spddelete", &Parser::spddelete},
        {"spddump", &Parser::spddump},
        {"spdflush", &Parser::spdflush},
        {"exit", &Parser::leave},
        {"quit", &Parser::leave},
        {"bye", &Parser::leave},
    };
    const auto* const row = std::ranges::find_if(productions, [&](const auto& p) { return name.is(p.first); });
    return row == std::end(productions) ? nullptr : row->second;
}

}  // namespace

Result<Program> parse(std::string_view text, std::string_view file_name) {
    if (text.size() > max_text_octets)
        return fail(Errc::no_room,
                    std::string{file_name} + ": a text takes at most " + std::to_string(max_text_octets) + " octets");
    return Parser{text, file_name}.parse();
}

Result<Policy> parse_policy(std::string_view statement) {
    TORII_TRY(Program program, parse(statement, "policy"));
    const bool alone =
        program.operations.size() == 1 && program.queries_before.empty() && program.queries_after.empty();
    auto* const add = alone ? std::get_if<control::AddPolicy>(&program.operations.front().operation) : nullptr;
    if (add == nullptr) return fail(Errc::bad_syntax, "one policy was expected, and nothing else");
    return std::move(add->policy);
}

}  // namespace torii::setkey
