using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Coherency.Tests.Layout;

/// <summary>A statement about a C header; <c>Since</c> is the version of the FUSE protocol from which on it is true.</summary>
internal sealed record HeaderAssertion(string Name, string CCondition, FuseVersion? Since);

/// <summary>Lets gcc judge statements about the installed headers, each as a _Static_assert of its own.</summary>
internal static partial class HeaderAssertions
{
    private static readonly string HeadersFolder = Path.Combine(Repository.Root, "Coherency.Tests", "Layout");

    public static IEnumerable<HeaderAssertion> About(GoldenTable table, Func<GoldenStruct, MeasuredStruct> measure)
    {
        foreach (GoldenStruct entry in table.Structs)
        {
            MeasuredStruct measured = measure(entry);
            yield return new HeaderAssertion(entry.CName, $"sizeof(struct {entry.CName}) == {measured.Size}", entry.Since);
            foreach (GoldenField field in entry.Fields.Where(field => !field.IsSpare))
            {
                yield return AboutField(entry, field, measured.Fields.Single(candidate => candidate.Name == field.ClrName));
            }
        }
    }

    public static HeaderAssertion AboutConstant(string name, string cExpression, long value, FuseVersion? since = null) =>
        new(name, $"(long long)({cExpression}) == {value.ToString(CultureInfo.InvariantCulture)}LL", since);

    /// <summary>Names of the assertions that gcc rejects, be it as false or because the header has no such thing.</summary>
    public static HashSet<string> Rejected(IReadOnlyList<HeaderAssertion> assertions, string include = "\"headers.h\"")
    {
        StringBuilder source = new($"#include {include}\n");
        foreach (HeaderAssertion assertion in assertions)
        {
            source.Append(CultureInfo.InvariantCulture, $"_Static_assert({assertion.CCondition}, \"false\");\n");
        }

        string errors = RunGcc(["-fsyntax-only"], source.ToString());
        if (BrokenHeader().Match(errors) is { Success: true } broken)
        {
            throw new InvalidOperationException($"the headers do not compile, is linux-libc-dev installed? {broken.Value}");
        }

        const int LinesBeforeAssertions = 1;
        return [.. ErrorLine().Matches(errors).Select(match => int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture))
            .Select(line => assertions[line - LinesBeforeAssertions - 1].Name)];
    }

    /// <summary>The version of the FUSE protocol that the installed linux/fuse.h describes.</summary>
    public static FuseVersion InstalledFuseVersion()
    {
        string macros = RunGcc(["-E", "-dM"], "#include <linux/fuse.h>\n");
        return new FuseVersion(Macro("FUSE_KERNEL_VERSION"), Macro("FUSE_KERNEL_MINOR_VERSION"));

        int Macro(string name) =>
            int.Parse(Regex.Match(macros, $@"#define {name} (\d+)").Groups[1].ValueSpan, CultureInfo.InvariantCulture);
    }

    private static HeaderAssertion AboutField(GoldenStruct entry, GoldenField field, MeasuredField measured)
    {
        string condition =
            $"offsetof(struct {entry.CName}, {field.CName}) == {measured.Offset}" +
            $" && sizeof(((struct {entry.CName} *)0)->{field.CName}) == {measured.Size}";
        return new HeaderAssertion($"{entry.CName}.{field.CName}", condition, field.Since);
    }

    /// <summary>What gcc prints about the source, output and errors.</summary>
    private static string RunGcc(string[] options, string source)
    {
        ChildResult gcc = ChildProcess.Run("gcc", [.. options, "-fmax-errors=0", "-I", HeadersFolder, "-x", "c", "-"], source);
        return gcc.Output + gcc.Errors;
    }

    [GeneratedRegex(@"^<stdin>:(\d+):\d+: error:", RegexOptions.Multiline)]
    private static partial Regex ErrorLine();

    [GeneratedRegex(@"^(.*fatal error:.*|(?!<stdin>).*headers\.h:\d+:\d+: error:.*)$", RegexOptions.Multiline)]
    private static partial Regex BrokenHeader();
}
