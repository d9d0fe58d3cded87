// Where the values of the section `ike` go, a list's in its latest element. For its rows alone. Any thread.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>

#include "app/config/ike_form.h"
#include "app/config/settings.h"

namespace torii::config {

inline IkeConnectionForm& connection_form(File& f) { return f.ike.connections.back(); }
inline IkeChildForm& child_form(File& f) { return connection_form(f).children.back(); }

template <class Owner>
Owner& place(File& f) {
    if constexpr (std::is_same_v<Owner, IkeForm>) return f.ike;
    if constexpr (std::is_same_v<Owner, ike::EngineConfig>) return f.ike.engine;
    if constexpr (std::is_same_v<Owner, ike::EngineLimits>) return f.ike.engine.limits;
    if constexpr (std::is_same_v<Owner, IkeConnectionForm>) return connection_form(f);
    if constexpr (std::is_same_v<Owner, ike::Connection>) return connection_form(f).connection;
    if constexpr (std::is_same_v<Owner, IkeChildForm>) return child_form(f);
    if constexpr (std::is_same_v<Owner, ike::ChildConfig>) return child_form(f).child;
}
template <class Owner, class Field>
Field& field_of(File& f, Field Owner::*member) {
    return place<Owner>(f).*member;
}

template <auto member>
std::string set(File& f, const Value& value) {
    auto& field = field_of(f, member);
    using Field = std::remove_reference_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, bool>)
        field = value.flag;
    else if constexpr (std::is_enum_v<Field> || std::is_integral_v<Field>)
        field = static_cast<Field>(value.number);
    else
        field = value.text;
    return {};
}

template <auto member>
std::string add_words(File& f, const Value& value) {
    field_of(f, member).push_back(value.text);
    return {};
}

template <auto member>
std::string set_name(File& f, const Value& value) {
    constexpr std::size_t longest = 31;
    const auto fits = [](char ch) {
        return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '-' ||
               ch == '_' || ch == '.';
    };
    set<member>(f, value);
    if (!value.text.empty() && value.text.size() <= longest && std::ranges::all_of(value.text, fits)) return {};
    return ": a name is 1 to 31 letters, digits, '-', '_' and '.'";
}

template <auto member>
std::string add_network(File& f, const Value& value) {
    auto& added = field_of(f, member).emplace_back();
    const auto prefix = Prefix::parse(value.text);
    if (!prefix) return ": a network is an address with its prefix length, as in 10.0.1.0/24, or one host's address";
    const std::string_view written = value.text;
    if (Address::parse(written.substr(0, written.find('/'))) != prefix->base())
        return " with bits set behind its prefix length: " + prefix->text() + " would be the network";
    added = *prefix;
    return {};
}

template <class Enumeration>
constexpr Choice choice(std::string_view name, Enumeration value) {
    return {name, static_cast<int>(value)};
}

}  // namespace torii::config
