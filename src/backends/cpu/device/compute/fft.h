// Discrete Fourier transforms of any length, several lines at once.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

namespace kiln::cpu {

// Sums of x[t] * exp(-2 pi i k t / n), or with a positive sign when inverse; nothing is scaled. Lengths whose prime factors are small
// go through Stockham's algorithm, others through Bluestein's (IEEE Trans. AU-18, 1970).
class Fft {
 public:
  Fft(int64_t n, bool inverse);
  // Elements of scratch memory for `lines` lines of length n.
  static int64_t scratch_elements(int64_t n, int64_t lines);
  // Real and imaginary parts [n, lines] are replaced by the result.
  void run(double* re, double* im, double* scratch, int64_t lines) const noexcept;

 private:
  struct Stage {
    int64_t radix = 1, rest = 1;           // a transform of radix * rest numbers becomes `radix` ones of `rest`
    std::vector<double> turn_re, turn_im;  // [rest, radix]: exp(sign 2 pi i p j / (radix rest))
    std::vector<double> root_re, root_im;  // [radix]: exp(sign 2 pi i j / radix)
  };
  // What Bluestein's algorithm needs: a convolution of a length that is a power of two.
  struct Chirp {
    std::vector<double> re, im;                // exp(sign pi i t^2 / n)
    std::vector<double> filter_re, filter_im;  // transformed conjugates, divided by the length
    std::unique_ptr<Fft> forward, backward;
  };

  void run_stage(const Stage& s, const double* re, const double* im, double* to_re, double* to_im,
                 int64_t stride) const noexcept;
  void run_chirp(double* re, double* im, double* scratch, int64_t lines) const noexcept;
  void make_chirp();

  int64_t n_;
  double sign_;
  std::vector<Stage> stages_;
  std::unique_ptr<Chirp> chirp_;
};

}  // namespace kiln::cpu
