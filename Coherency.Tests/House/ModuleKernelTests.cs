using System.Text.RegularExpressions;

namespace Coherency.Tests.House;

/// <summary>
/// For which kernels the module is built: what make refuses (compat.h), DKMS does not begin (dkms.conf). The compiler and bash
/// read them here; no kernel is needed.
/// </summary>
public sealed partial class ModuleKernelTests : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-kernels-");

    public void Dispose() => _work.Delete(recursive: true);

    [Theory]
    [InlineData("6.1.0-40-amd64", true)]
    [InlineData("6.1.170", true)]
    [InlineData("6.12.48+deb13-amd64", true)]
    [InlineData("7.2.3-amd64", true)]
    [InlineData("6.0.19", false)]
    [InlineData("6.2.0-39-generic", false)]
    [InlineData("6.4.0", false)]
    [InlineData("6.10.11-amd64", false)]
    [InlineData("6.11.0-29-generic", false)]
    [InlineData("6.13.0", false)]
    [InlineData("6.17.0-5-generic", false)]
    [InlineData("7.1.0", false)]
    [InlineData("7.20.1", false)]
    [InlineData("7.3.0-rc1", false)]
    public void A_kernel_that_was_not_tried_is_refused_by_make_and_by_dkms_alike_and_both_say_so(string kernel, bool wasTried)
    {
        foreach (ChildResult judge in (ChildResult[])[Preprocess(kernel, options: ""), AskDkms(kernel, environment: "")])
        {
            Assert.Equal(wasTried ? "accepted" : "refused", judge.Output.Trim());
            Assert.Equal(!wasTried, judge.Errors.Contains("tried with Linux 6.1, 6.12 and 7.2 only", StringComparison.Ordinal));
            Assert.Equal(!wasTried, judge.Errors.Contains("COHERENCY_UNTRIED_KERNEL=1", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Who_wants_to_try_one_can()
    {
        Assert.Equal("accepted", Preprocess("7.3.0", "-DCOHERENCY_UNTRIED_KERNEL").Output.Trim());
        Assert.Equal("accepted", AskDkms("7.3.0", "COHERENCY_UNTRIED_KERNEL=1").Output.Trim());
    }

    /// <summary>
    /// As dkms(8) judges: it reads the file as bash, and matches the version against BUILD_EXCLUSIVE_KERNEL if that is set.
    /// </summary>
    private static ChildResult AskDkms(string kernel, string environment) => Bash(
        $"export {environment} kernelver={kernel} kernel_source_dir=/nowhere; . '{Module("dkms.conf")}'; "
        + "[[ -z ${BUILD_EXCLUSIVE_KERNEL:-} || $kernelver =~ $BUILD_EXCLUSIVE_KERNEL ]] && echo accepted || echo refused");

    private ChildResult Preprocess(string kernel, string options)
    {
        int[] version = [.. kernel.Split('-', '+')[0].Split('.').Select(int.Parse)];
        DirectoryInfo linux = _work.CreateSubdirectory("linux");
        foreach (Match included in Includes().Matches(File.ReadAllText(Module("compat.h"))))
        {
            File.WriteAllText(Path.Combine(linux.FullName, included.Groups[1].Value), "");
        }

        File.WriteAllText(
            Path.Combine(linux.FullName, "version.h"),
            $"#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))\n#define LINUX_VERSION_CODE KERNEL_VERSION({version[0]}, " +
            $"{version[1]}, {version[2]})\n");
        return Bash(
            $"gcc -E -nostdinc -I '{_work.FullName}' -DCONFIG_64BIT {options} '{Module("compat.h")}' >/dev/null && echo accepted || " +
            "echo refused");
    }

    [GeneratedRegex("#include <linux/(.*)>")]
    private static partial Regex Includes();

    private static string Module(string file) => Path.Combine(Repository.Root, "guest", "linux", file);

    private static ChildResult Bash(string command) => ChildProcess.Run("bash", ["-c", command]);
}
