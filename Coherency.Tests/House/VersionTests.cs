using System.Text.RegularExpressions;

namespace Coherency.Tests.House;

/// <summary>The version is said in Directory.Build.props; what cannot read it there says the same.</summary>
public sealed class VersionTests
{
    [Theory]
    [InlineData("guest/linux/dkms.conf", """^PACKAGE_VERSION="(.*)"$""")]
    [InlineData("guest/linux/mount.c", """^MODULE_VERSION\("(.*)"\);$""")]
    [InlineData("guest/linux/README.md", "/usr/src/coherency-([0-9.]+)$")]
    [InlineData("CHANGELOG.md", "the version is ([0-9.]+) throughout")]
    public void It_is_the_same_everywhere(string file, string pattern)
    {
        string text = File.ReadAllText(Path.Combine(Repository.Root, file));
        Assert.Equal(DaemonProgram.Version, Regex.Match(text, pattern, RegexOptions.Multiline).Groups[1].Value);
    }
}
