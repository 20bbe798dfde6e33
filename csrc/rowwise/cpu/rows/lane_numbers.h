#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cpu/rows/scan.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

// Ways to compare the numbers of rows in the lanes of vectors.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Compares the numbers themselves.
template <class Scalar>
struct LaneNumbers {
  using Element = Scalar;
  using Bits = key_t<Scalar>;
  using Lanes = Vector<Bits>;
  static constexpr bool kHasTwoZeros = false;  // -0.0 equals +0.0
  static constexpr Element kLowest = -std::numeric_limits<Element>::infinity();

  static Vector<Element> of(Scalar const* source) { return load<Element>(source); }
  static Vector<Element> of_bits(Vector<Element> x) { return x; }
  static Element least_of(Scalar x) { return x; }
  // The smallest number above those equal to x.
  static Element after(Element x) { return scalar_of<Scalar>(key_of(x + Element{0}) + 1); }
  static Vector<Element> bits(Vector<Element> x) { return x; }
  static void widen_to(Element* destination, Vector<Element> x) { store(destination, x); }

  // Reduces the lanes to those of a vector of floats, by the larger of two that share one. Here
  // none do.
  static Vector<Element> largest_floats(Vector<Element> x) { return x; }

  // Notices rows that are not ordinary (KeyRange::is_ordinary). No comparison finds a NaN, but a
  // sum keeps it.
  class Seen {
   public:
    void add(Vector<Element> x) { sum_ += x; }
    void add(Seen const& other) { sum_ += other.sum_; }

    // The lanes of rows that may hold a NaN or +inf, or nothing but -inf: all that do, and some
    // whose sum overflows.
    Lanes suspects(Vector<Element> maximum) const {
      auto const difference = maximum - maximum;
      return (sum_ != sum_) | (difference != difference);
    }

   private:
    Vector<Element> sum_ = {};
  };

  static Lanes suspects(Seen const& seen, Vector<Element> maximum) {
    return seen.suspects(maximum);
  }
};

// Compares integers of the same order as the numbers: their magnitudes with a sign, so that -0.0
// equals +0.0. Integers compare faster than floating-point numbers, and a vector holds twice as
// many 16-bit ones as floats. This base class is the same for all types of one size.
template <class Integer>
struct OrderedLanes {
  using Element = Integer;
  using Bits = Integer;
  static constexpr bool kHasTwoZeros = true;
  static constexpr Element kMinusZero = std::numeric_limits<Element>::min();
  static constexpr Element kLowest = std::numeric_limits<Element>::min();

  // Turns a number's bits into such an integer. bits() turns it back, into the bits of +0.0 for
  // either zero.
  static Vector<Element> of_bits(Vector<Element> bits) {
    // Unsigned, since lanes that the selection below leaves out may overflow.
    using Unsigned = std::make_unsigned_t<Element>;
    auto const negated =
        broadcast(static_cast<Unsigned>(kLowest)) - reinterpret_cast<Vector<Unsigned>>(bits);
    return bits < 0 ? reinterpret_cast<Vector<Element>>(negated) : bits;
  }
  static Vector<Element> bits(Vector<Element> x) { return of_bits(x); }

  class Seen {
   public:
    void add(Vector<Element> x) { smallest_ = smaller(smallest_, x); }
    void add(Seen const& other) { add(other.smallest_); }
    Vector<Element> smallest() const { return smallest_; }

   private:
    Vector<Element> smallest_ = broadcast(std::numeric_limits<Element>::max());
  };
};

template <class Scalar>
struct LaneIntegers : OrderedLanes<key_t<Scalar>> {
  using Ordered = OrderedLanes<key_t<Scalar>>;
  using Element = key_t<Scalar>;
  using Lanes = Vector<Element>;
  static constexpr Element kInfinity = std::is_same_v<Scalar, Float16>    ? 0x7c00
                                       : std::is_same_v<Scalar, BFloat16> ? 0x7f80
                                                                          : 0x7f800000;
  static constexpr Element kLowest = -kInfinity;

  static Lanes suspects(typename Ordered::Seen const& seen, Vector<Element> maximum) {
    return (seen.smallest() < kLowest) | (maximum <= kLowest) | (maximum >= kInfinity);
  }

  class Seen : public Ordered::Seen {
   public:
    Lanes suspects(Vector<Element> maximum) const { return LaneIntegers::suspects(*this, maximum); }
  };
};

// Compares rows that lie one to a lane, in a way in which -0.0 equals +0.0.
template <class Scalar>
using ShortNumbers =
    std::conditional_t<sizeof(Scalar) == 2, LaneIntegers<Scalar>, LaneNumbers<Scalar>>;

// Compares keys (rowwise/ordered_key.h). They take fewer instructions, but -0.0 has a smaller key
// than +0.0.
template <class Scalar>
struct LaneKeys {
  using Element = key_t<Scalar>;
  using Lanes = Vector<Element>;
  static constexpr Element kInfinity = LaneIntegers<Scalar>::kInfinity;
  static constexpr Element kLowest = -kInfinity - 1;

  static Vector<Element> of(Scalar const* source) { return load_keys(source); }
  // The smallest key of the numbers equal to x.
  static Element least_of(Scalar x) {
    auto const key = key_of(x);
    return key == 0 ? -1 : key;
  }
  static Element after(Element least) { return least == -1 ? 1 : least + 1; }
  static void widen_to(float* destination, Vector<Element> x) {
    alignas(kVectorBytes) Scalar scalars[kLanes<Element>];
    store(scalars, reordered(x));
    store(destination, widen_lanes(scalars));
    store(destination + kLanes<float>, widen_lanes(scalars + kLanes<float>));
  }
  static Floats largest_floats(Vector<Element> x) {
    alignas(kVectorBytes) float floats[kLanes<Element>];
    widen_to(floats, x);
    return larger(load<float>(floats), load<float>(floats + kLanes<float>));
  }

  class Seen : public OrderedLanes<Element>::Seen {
   public:
    Lanes suspects(Vector<Element> maximum) const {
      return (this->smallest() < kLowest) | (maximum <= kLowest) | (maximum >= kInfinity);
    }
  };
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
