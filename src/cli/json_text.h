// JSON as it is printed and kept: what is no UTF-8, as a file's name may be, has U+FFFD in its place instead of
// losing the whole.
#pragma once
#include <string>

namespace duet {

template <class Json>
std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace duet
