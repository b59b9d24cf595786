using System.Globalization;

namespace Coherency.Tests.Layout;

/// <summary>A field of a C struct; <c>Offset</c> and <c>Size</c> in bytes.</summary>
internal sealed record GoldenField(string CName, string ClrName, int Offset, int Size, FuseVersion? Since, bool IsSpare);

/// <summary>A C struct, and the C# struct that stands for it.</summary>
internal sealed record GoldenStruct(string CName, string ClrName, int Size, FuseVersion? Since, IReadOnlyList<GoldenField> Fields);

/// <summary>A constant of the C# type <c>ClrType</c>, and what it is in C.</summary>
internal sealed record GoldenConstant(string ClrType, string ClrName, string CExpression, long Value, FuseVersion? Since);

/// <summary>A version of the FUSE protocol: the one that brought something into linux/fuse.h.</summary>
internal readonly record struct FuseVersion(int Major, int Minor)
{
    public bool IsAfter(FuseVersion other) => (Major, Minor).CompareTo((other.Major, other.Minor)) > 0;

    public static FuseVersion Parse(string text)
    {
        string[] parts = text.Split('.');
        return new FuseVersion(ParseNumber(parts[0]), ParseNumber(parts[1]));
    }

    public override string ToString() => $"{Major}.{Minor}";

    private static int ParseNumber(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}

/// <summary>The committed numbers that C# has to match; golden.txt explains the form of such a file.</summary>
internal sealed class GoldenTable
{
    /// <summary>Measured by a C compiler in the C headers.</summary>
    public static readonly GoldenTable Headers = Load("golden.txt");

    /// <summary>Written by hand from the vhost-user specification, which has no header.</summary>
    public static readonly GoldenTable VhostUser = Load("golden-vhost-user.txt");

    private readonly List<GoldenStruct> _structs = [];
    private readonly List<GoldenConstant> _constants = [];

    public IReadOnlyList<GoldenStruct> Structs => _structs;

    public IReadOnlyList<GoldenConstant> Constants => _constants;

    public static GoldenTable Parse(string text)
    {
        GoldenTable table = new();
        Action<string[]> readMember = words => throw new FormatException($"'{words[0]}' stands outside a struct or enum");
        foreach (string[] words in Rows(text))
        {
            switch (words[0])
            {
                case "struct":
                    readMember = table.StartStruct(words);
                    break;
                case "enum":
                    readMember = table.StartEnum(words[1]);
                    break;
                default:
                    readMember(words);
                    break;
            }
        }

        return table;
    }

    private static GoldenTable Load(string fileName) =>
        Parse(File.ReadAllText(Path.Combine(Repository.Root, "Coherency.Tests", "Layout", fileName)));

    private static IEnumerable<string[]> Rows(string text) =>
        from line in text.Split('\n')
        let words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
        where words.Length > 0 && !words[0].StartsWith('#')
        select words;

    private Action<string[]> StartStruct(string[] words)
    {
        string name = words[1];
        List<GoldenField> fields = [];
        FuseVersion? since = Since(words);
        _structs.Add(new GoldenStruct(name, WordAfter("as", words) ?? name, (int)Number(words, 2), since, fields));
        return field => fields.Add(ReadField(field, since));
    }

    private Action<string[]> StartEnum(string clrType) =>
        words => _constants.Add(new GoldenConstant(clrType, words[0], words[1], Number(words, 2), Since(words)));

    private static GoldenField ReadField(string[] words, FuseVersion? sinceOfStruct) => new(
        words[0],
        WordAfter("as", words) ?? words[0],
        (int)Number(words, 1),
        (int)Number(words, 2),
        Since(words) ?? sinceOfStruct,
        words.Contains("spare"));

    private static long Number(string[] words, int index) =>
        index < words.Length && long.TryParse(words[index], CultureInfo.InvariantCulture, out long number)
            ? number
            : throw new FormatException($"'{string.Join(' ', words)}' lacks a number: run eng/golden-layouts");

    private static FuseVersion? Since(string[] words) =>
        WordAfter("since", words) is { } version ? FuseVersion.Parse(version) : null;

    private static string? WordAfter(string keyword, string[] words) =>
        words.SkipWhile(word => word != keyword).Skip(1).FirstOrDefault();
}
