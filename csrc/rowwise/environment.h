#pragma once

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace zeta::rowwise {

// The value of a variable of the environment. An empty one is none: what starts a program often
// hands on variables that are not set as empty ones.
inline std::optional<std::string_view> environment_variable(char const* name) {
  char const* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

// What `read` makes of the environment when this is made, or the error that it throws, which then
// every use throws. At namespace scope it is made as the library is loaded, so that what a program
// does to its environment later changes nothing.
template <class Value>
class FromEnvironment {
 public:
  explicit FromEnvironment(Value (*read)()) {
    try {
      value_ = read();
    } catch (std::runtime_error const& error) {
      error_ = error.what();
    }
  }

  Value const& value() const {
    if (!error_.empty()) throw std::runtime_error(error_);
    return value_;
  }

 private:
  Value value_{};
  std::string error_;
};

}  // namespace zeta::rowwise
