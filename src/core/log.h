// Messages to the user, on stderr. Levels follow -q and -v. Implemented with spdlog, which no header shows.
#pragma once
#include <string_view>

namespace duet {

enum class Verbosity { quiet, normal, verbose };

void set_verbosity(Verbosity verbosity);
Verbosity verbosity();
bool stderr_is_terminal();
bool stdout_is_terminal();
bool color_allowed();  // a terminal, no NO_COLOR, TERM is not "dumb"

// One line that stays below the messages: the progress bar. Only where status_line_allowed(); empty removes it.
bool status_line_allowed();  // a terminal that is not "dumb", and no -q
void set_status_line(std::string_view line);

void log_debug(std::string_view message);    // -v only
void log_info(std::string_view message);     // not with -q
void log_warning(std::string_view message);  // "warning: ..."
void log_error(std::string_view message);    // "error: ..."

}  // namespace duet
