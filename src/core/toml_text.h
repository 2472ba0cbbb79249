// TOML nodes as words for messages, and as the TOML that a resolved recipe is written in.
#pragma once
#include <toml++/toml.h>

#include <string>
#include <string_view>

namespace duet {

std::string kind_of(const toml::node& node);      // "an integer", "a list of tables"
std::string text_of(const toml::node& node);      // a value as it would be printed, without quotes
std::string text_of_key(const std::string& key);  // in quotes where a bare key cannot be
std::string toml_of(const toml::node& node);      // on one line; reads back as the same value
// The comment that a file opens with, for the resolved recipe: what follows it in the file is lost there.
std::string opening_comment(std::string_view text);

}  // namespace duet
