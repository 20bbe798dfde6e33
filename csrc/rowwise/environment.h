#pragma once

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace zeta::rowwise {

// Returns the value of an environment variable. An empty one counts as unset, since programs that
// start others often pass on unset variables as empty ones.
inline std::optional<std::string_view> environment_variable(char const* name) {
  char const* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

// Reads a setting when it is constructed. If `read` throws, every use of the value throws the same
// error. At namespace scope it is constructed as the library is loaded, so later changes of the
// environment have no effect.
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
