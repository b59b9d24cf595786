using System.Globalization;
using System.Text;
using Coherency.Core.Versioning;
using Xunit;

namespace Coherency.Tests.Versioning;

public sealed class XxHash64Tests
{
    [Theory]
    [InlineData("", 0, 0xEF46DB3751D8E999)]
    [InlineData("a", 0, 0xD24EC4F1A98C6E5B)]
    [InlineData("abc", 0, 0x44BC2CF5AD770999)]
    [InlineData("", 1, 0xD5AFBA1336A3BE4B)]
    public void Known_vectors(string text, ulong seed, ulong expected) =>
        Assert.Equal(expected, XxHash64.Hash(Encoding.ASCII.GetBytes(text), seed));

    /// <summary>Debian's package xxhash computes the same for every length around the stripe size.</summary>
    [Fact]
    public void Agrees_with_xxhsum()
    {
        string directory = Directory.CreateTempSubdirectory("coherency-xxh").FullName;
        List<string> files = [];
        byte[] data = new byte[1000];
        new Random(1).NextBytes(data);
        foreach (int length in Enumerable.Range(0, 100).Append(255).Append(1000))
        {
            files.Add(Path.Combine(directory, $"{length}"));
            File.WriteAllBytes(files[^1], data[..length]);
        }

        string[] lines = ChildProcess.Run("xxhsum", ["-H64", .. files]).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Directory.Delete(directory, recursive: true);

        Assert.Equal(files.Count, lines.Length);
        foreach (string line in lines)
        {
            string[] parts = line.Split("  ");
            int length = int.Parse(Path.GetFileName(parts[1]), CultureInfo.InvariantCulture);
            Assert.Equal(
                ulong.Parse(parts[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture), XxHash64.Hash(data.AsSpan(0, length)));
        }
    }
}
