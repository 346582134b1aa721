/* What logits.c does, as C++17: owners that free, an exception in place of each status.
 *
 *     c++ -std=c++17 logits.cpp $(pkg-config --cflags --libs cistern) -o logits
 *     ./logits torchvision:vgg16 vgg16 cat.jpg
 */
#include <cistern/cistern.h>
#include <csignal>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{

struct Free {
    void operator()(cistern *c) const
    {
        cistern_free(c);
    }
    void operator()(cistern_cancel *cancel) const
    {
        cistern_cancel_free(cancel);
    }
    void operator()(cistern_image *image) const
    {
        cistern_image_free(image);
    }
    void operator()(cistern_model *model) const
    {
        cistern_model_free(model);
    }
    void operator()(cistern_options *options) const
    {
        cistern_options_free(options);
    }
    void operator()(cistern_session *session) const
    {
        cistern_session_free(session);
    }
    void operator()(cistern_version *version) const
    {
        cistern_version_free(version);
    }
};
template <typename T> using Owner = std::unique_ptr<T, Free>;

class Failure : public std::runtime_error
{
  public:
    explicit Failure(const cistern_error &err) : std::runtime_error(text(err)), status(err.status)
    {
    }
    cistern_status status;

  private:
    static std::string text(const cistern_error &err)
    {
        std::string out(cistern_error_format(&err, nullptr, 0) + 1, '\0');
        cistern_error_format(&err, out.data(), out.size());
        out.pop_back();
        return out;
    }
};

/* Call fn(arguments..., &err): a status that is not OK becomes a Failure. */
template <typename Fn, typename... Arguments> void check(Fn fn, Arguments... arguments)
{
    cistern_error err = CISTERN_ERROR_INIT;
    if (fn(arguments..., &err) != CISTERN_OK)
        throw Failure(err);
}

/* The same for calls whose last argument before err is where they put what the caller then owns. */
template <typename T, typename Fn, typename... Arguments> Owner<T> make(Fn fn, Arguments... arguments)
{
    T *made = nullptr;
    check(fn, arguments..., &made);
    return Owner<T>(made);
}

cistern_cancel *interrupted; /* what ^C sets */

/* ^C sets the token as long as this lives: less long than the token. */
struct Interruptible {
    Interruptible()
    {
        std::signal(SIGINT, [](int) { cistern_cancel_set(interrupted); });
    }
    ~Interruptible()
    {
        std::signal(SIGINT, SIG_DFL);
    }
};

void on_progress(void *, const cistern_progress *p)
{
    if (p->last)
        std::fprintf(stderr, "%s: %llu bytes\n", p->step, static_cast<unsigned long long>(p->done));
}

void on_log(void *, int level, const char *line)
{
    static const char *const words[] = {"warning", "note", "detail"};
    std::fprintf(stderr, "%s: %s\n", words[level], line);
}

std::vector<float> infer(cistern_session *session, const char *path)
{
    auto image = make<cistern_image>(cistern_image_open, path);
    std::vector<float> x(std::size_t{3} * cistern_session_height(session) * cistern_session_width(session));
    std::vector<float> logits(cistern_session_classes(session));
    check(cistern_session_preprocess, session, image.get(), x.data());
    check(cistern_session_run, session, x.data(), 1u, logits.data(), interrupted);
    return logits;
}

void run(const char *origin, const char *name, const char *path)
{
    auto options = make<cistern_options>(cistern_options_new);
    check(cistern_options_load, options.get());
    cistern_options_set_log(options.get(), on_log, nullptr);
    auto context = make<cistern>(cistern_new, options.get());
    auto cancel = make<cistern_cancel>(cistern_cancel_new);
    cistern_call call = CISTERN_CALL_INIT;
    interrupted = call.cancel = cancel.get();
    call.progress = on_progress;
    Interruptible interruptible;

    cistern_pull_options pull = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result{};
    result.size = sizeof result;
    pull.as = name;
    auto version = make<cistern_version>(cistern_pull, context.get(), origin, &pull, &call, &result);
    std::fprintf(stderr, "%s: %llu requests\n", cistern_version_reference(version.get()),
                 static_cast<unsigned long long>(result.requests));

    auto model = make<cistern_model>(cistern_model_open, context.get(), name, &call);
    auto session = make<cistern_session>(cistern_session_new, model.get(), nullptr);
    for (float logit : infer(session.get(), path))
        std::printf("%.9g\n", static_cast<double>(logit));
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::fprintf(stderr, "usage: logits ORIGIN NAME IMAGE\n");
        return 2;
    }
    try {
        check(cistern_sigbus_guard);
        run(argv[1], argv[2], argv[3]);
        return 0;
    } catch (const Failure &failure) {
        std::fprintf(stderr, "logits: %s\n", failure.what());
        return cistern_status_exit_code(failure.status);
    }
}
