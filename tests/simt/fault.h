#pragma once

#include <cstring>
#include <source_location>
#include <stdexcept>
#include <string>

namespace zeta::simt {

inline bool same_place(std::source_location a, std::source_location b) {
  return a.line() == b.line() && a.column() == b.column() &&
         (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

// What a kernel did wrong, and where in its source.
class Fault : public std::runtime_error {
 public:
  Fault(std::source_location where, std::string const& what)
      : std::runtime_error(text(where) + ": " + what), where_(where) {}

  std::source_location where() const { return where_; }

  static std::string text(std::source_location where) {
    return std::string(where.file_name()) + ":" + std::to_string(where.line());
  }

 private:
  std::source_location where_;
};

}  // namespace zeta::simt
