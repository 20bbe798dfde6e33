#pragma once

#include <c10/util/Exception.h>

#include <exception>
#include <iostream>
#include <string>
#include <vector>

using Arguments = std::vector<std::string>;

/// Runs a program that takes from kFewest to kMost arguments. The exit status, which `main`
/// returns, is 2 for another number of arguments and 1 for an exception.
template <size_t kFewest, size_t kMost = kFewest>
int run_main(int const count, char const* const* const words, char const* const usage,
             void (*const run)(Arguments const&)) {
  Arguments const arguments(words + 1, words + count);
  if (arguments.size() < kFewest || arguments.size() > kMost) {
    std::cerr << "usage: " << words[0] << ' ' << usage << '\n';
    return 2;
  }
  try {
    run(arguments);
    return 0;
  } catch (c10::Error const& error) {
    std::cerr << words[0] << ": " << error.what_without_backtrace() << '\n';
  } catch (std::exception const& error) {
    std::cerr << words[0] << ": " << error.what() << '\n';
  }
  return 1;
}
