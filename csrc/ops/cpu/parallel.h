#pragma once

#include <c10/util/Exception.h>
#include <torch/csrc/stable/c/shim.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>

#include "rowwise/cpu/capability.h"

// Runs work on torch's threads.
namespace zeta::ops {

// A task of fewer entries costs less than handing it to another thread.
inline constexpr int64_t kEntriesPerTask = 65536;

// Keeps the first exception that any thread throws, for rethrow() in the thread that waits for
// them. A pool of threads may lose the type or the message of an exception, or print it.
class FirstException {
 public:
  template <class Function>
  void keep(Function const& function) noexcept {
    try {
      function();
    } catch (...) {
      std::lock_guard<std::mutex> const lock(mutex_);
      if (!exception_) exception_ = std::current_exception();
    }
  }

  // Reports memory that cannot be allocated in the words that batch-size finders look for.
  void rethrow(char const* name) const {
    try {
      if (exception_) std::rethrow_exception(exception_);
    } catch (std::bad_alloc const&) {
      TORCH_CHECK(false, name,
                  ": DefaultCPUAllocator: can't allocate memory for a thread to work in");
    }
  }

 private:
  std::mutex mutex_;
  std::exception_ptr exception_;
};

// Calls function(first, last) for ranges that together are 0 to count - 1, on torch's threads if
// count is above smallest_range. `name` is the operator's, for errors. torch_parallel_for was
// compiled with torch, while at::parallel_for is a template, which runs on one thread where it is
// compiled without OpenMP.
template <class Function>
void for_each_range(char const* name, int64_t count, int64_t smallest_range,
                    Function const& function) {
  rowwise::cpu::capability();  // Throws here, not in a thread, if ZETA_CPU_CAPABILITY is wrong.
  struct Task {
    Function const& function;
    FirstException exception;

    void operator()(int64_t first, int64_t last) {
      exception.keep([&] { function(first, last); });
    }
  } task{function, {}};
  if (0 < count && count <= smallest_range) {
    task(0, count);
  } else {
    auto const call = [](int64_t first, int64_t last, void* context) {
      (*static_cast<Task*>(context))(first, last);
    };
    auto const error = torch_parallel_for(0, count, smallest_range, call, &task);
    TORCH_CHECK(error == AOTI_TORCH_SUCCESS, name, ": torch's threads took no work");
  }
  task.exception.rethrow(name);
}

template <class Geometry, class Function>
void for_each_row_range(char const* name, Geometry const& geometry, Function const& function) {
  for_each_range(name, geometry.rows, std::max<int64_t>(1, kEntriesPerTask / geometry.length),
                 function);
}

}  // namespace zeta::ops
