using System.Runtime.InteropServices;

namespace Coherency.Tests.Layout;

/// <summary>The checkers of this folder can fail: each is shown a fault of the kind that it is there for.</summary>
public class LayoutCheckerTests
{
    private const string RightTable = "struct Sample 16\n Id 0 8\n Tag 8 4\n _secret 12 4\n";

    [Fact]
    public void Right_numbers_pass() => Assert.Empty(Check<Sample>(RightTable));

    [Theory]
    [InlineData("struct Sample 24\n Id 0 8\n Tag 8 4\n _secret 12 4\n", "Sample has 16 bytes, 24 are right")]
    [InlineData("struct Sample 16\n Id 0 8\n Tag 8 4\n _secret 8 4\n", "Sample._secret has 4 bytes at 12, right are 4 at 8")]
    [InlineData("struct Sample 16\n Id 0 8\n Tag 8 8\n _secret 12 4\n", "Sample.Tag has 4 bytes at 8, right are 8 at 8")]
    [InlineData("struct Sample 16\n Id 0 8\n Tag 8 4\n", "Sample._secret is not in the golden table")]
    [InlineData(RightTable + " Extra 12 4\n", "Sample.Extra is in the golden table, but not in C#")]
    [InlineData(RightTable + "struct Other 8\n Id 0 8\n", "Other is in a golden table, but there is no such C# struct")]
    public void A_wrong_table_is_found(string table, string problem) => Assert.Equal([problem], Check<Sample>(table));

    [Fact]
    public void A_struct_that_is_not_listed_is_found() =>
        Assert.Contains("is not in a golden table", Assert.Single(Check<Sample>("# nothing\n")), StringComparison.Ordinal);

    [Fact]
    public void A_struct_without_fields_is_not_taken_for_checked() =>
        Assert.Equal(["Hollow has no fields: nothing would be checked"], Check<Hollow>("struct Hollow 1\n"));

    [Fact]
    public void Fixed_buffers_are_measured() => Assert.Empty(Check<Buffered>("struct Buffered 16\n Tag 0 12\n Count 12 4\n"));

    [Theory]
    [InlineData("enum Color\n Red RED 1\n Green GREEN 3\n", "Color.Green is 2, GREEN is 3")]
    [InlineData("enum Color\n Red RED 1\n", "Color.Green is not in a golden table")]
    [InlineData("enum Color\n Red RED 1\n Green GREEN 2\n Blue BLUE 3\n", "Color.Blue is in a golden table, but not in C#")]
    public void A_wrong_constant_is_found(string table, string problem) =>
        Assert.Equal([problem], LayoutChecker.CheckConstants([typeof(Color)], GoldenTable.Parse(table).Constants));

    [Fact]
    public void A_table_without_numbers_is_refused() => Assert.Throws<FormatException>(() => GoldenTable.Parse("struct Sample\n Id\n"));

    [Fact]
    public void Gcc_rejects_what_is_false_and_what_it_does_not_know()
    {
        HeaderAssertion[] assertions =
        [
            new("true", "sizeof(struct fuse_in_header) == 40", Since: null),
            new("wrong size", "sizeof(struct fuse_in_header) == 41", Since: null),
            new("no such struct", "sizeof(struct fuse_no_such_struct) == 8", Since: null),
            new("no such field", "offsetof(struct fuse_in_header, no_such_field) == 8", Since: null),
            HeaderAssertions.AboutConstant("right value", "FUSE_LOOKUP", 1),
            HeaderAssertions.AboutConstant("wrong value", "FUSE_LOOKUP", 2),
            HeaderAssertions.AboutConstant("no such constant", "FUSE_NO_SUCH_CONSTANT", 1),
            HeaderAssertions.AboutConstant("no such constant, again", "FUSE_NO_SUCH_CONSTANT", 1),
        ];
        Assert.Equal(
            ["no such constant", "no such constant, again", "no such field", "no such struct", "wrong size", "wrong value"],
            HeaderAssertions.Rejected(assertions).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Headers_that_do_not_compile_are_no_answer() =>
        Assert.Throws<InvalidOperationException>(() => HeaderAssertions.Rejected([], include: "<linux/no_such_header.h>"));

    [Fact]
    public void A_size_that_is_not_written_down_is_found() =>
        Assert.Equal(
            ["Unsized has 8 bytes: write [StructLayout(LayoutKind.Sequential, Size = 8)]"], StructRules.WrongSize(typeof(Unsized)));

    [Theory]
    [InlineData(typeof(With<bool>))]
    [InlineData(typeof(With<char>))]
    [InlineData(typeof(With<Color>))]
    [InlineData(typeof(With<nint>))]
    [InlineData(typeof(With<Sample>))]
    [InlineData(typeof(WithPointer))]
    public void A_field_of_another_type_is_found(Type type) => Assert.Single(StructRules.WrongFields(type));

    [Fact]
    public void Padding_without_a_name_is_found() =>
        Assert.Equal(["Padded has 16 bytes, its fields have 12: name the padding"], StructRules.Padding(typeof(Padded)));

    private static List<string> Check<T>(string table)
        where T : unmanaged => LayoutChecker.CheckStructs([typeof(T)], GoldenTable.Parse(table).Structs);

    public enum Color
    {
        None,
        Red,
        Green,
    }

    [StructLayout(LayoutKind.Sequential, Size = 16)]
    public struct Sample(uint secret)
    {
        public ulong Id;
        public uint Tag;
        private readonly uint _secret = secret;

        public readonly uint Secret => _secret;
    }

    public struct Hollow;

    [StructLayout(LayoutKind.Sequential, Size = 16)]
    public unsafe struct Buffered
    {
        public fixed byte Tag[12];
        public uint Count;
    }

    public struct Unsized
    {
        public ulong Id;
    }

    public struct With<T>
    {
        public T Field;
    }

    public unsafe struct WithPointer
    {
        public byte* Field;
    }

    [StructLayout(LayoutKind.Sequential, Size = 16)]
    public struct Padded
    {
        public ulong Id;
        public uint Tag;
    }
}
