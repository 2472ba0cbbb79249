#include "core/error.h"

namespace duet {

void fail(Exit exit, std::string_view where, std::string_view what, std::string_view remedy) {
  std::string message(where);
  if (!where.empty() && !what.empty()) message += ": ";
  message += what;
  if (!remedy.empty()) {
    if (!message.empty()) message += message.ends_with('?') ? " " : "; ";  // "did you mean 'x'? columns: ..."
    message += remedy;
  }
  throw Error(exit, message);
}

}  // namespace duet
