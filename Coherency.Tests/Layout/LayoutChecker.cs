namespace Coherency.Tests.Layout;

/// <summary>
/// Compares C# structs and constants with the golden numbers. Each problem is a sentence; no sentence means that every
/// struct and every field was compared, on both sides, and that there was something to compare.
/// </summary>
internal static class LayoutChecker
{
    public static List<string> CheckStructs(IReadOnlyList<Type> types, IReadOnlyList<GoldenStruct> golden)
    {
        List<string> problems = [];
        Dictionary<string, GoldenStruct> byName = golden.ToDictionary(entry => entry.ClrName);
        foreach (Type type in types)
        {
            if (byName.Remove(type.Name, out GoldenStruct? entry))
            {
                problems.AddRange(CheckStruct(new MeasuredStruct(type), entry));
            }
            else
            {
                problems.Add($"{type.FullName} is not in a golden table: add its names to golden.txt, run eng/golden-layouts");
            }
        }

        problems.AddRange(byName.Keys.Select(name => $"{name} is in a golden table, but there is no such C# struct"));
        return problems;
    }

    public static List<string> CheckConstants(IReadOnlyList<Type> types, IReadOnlyList<GoldenConstant> golden)
    {
        List<string> problems = [];
        Dictionary<(string Type, string Name), GoldenConstant> byName = golden.ToDictionary(entry => (entry.ClrType, entry.ClrName));
        foreach (Type type in types)
        {
            foreach ((string name, long value) in NativeTypes.ConstantsOf(type))
            {
                if (!byName.Remove((type.Name, name), out GoldenConstant? entry))
                {
                    problems.Add($"{type.Name}.{name} is not in a golden table");
                }
                else if (entry.Value != value)
                {
                    problems.Add($"{type.Name}.{name} is {value}, {entry.CExpression} is {entry.Value}");
                }
            }
        }

        problems.AddRange(byName.Keys.Select(key => $"{key.Type}.{key.Name} is in a golden table, but not in C#"));
        return problems;
    }

    private static IEnumerable<string> CheckStruct(MeasuredStruct measured, GoldenStruct golden)
    {
        string name = measured.Type.Name;
        if (measured.Size != golden.Size)
        {
            yield return $"{name} has {measured.Size} bytes, {golden.Size} are right";
        }

        if (measured.Fields.Count == 0)
        {
            yield return $"{name} has no fields: nothing would be checked";
        }

        Dictionary<string, GoldenField> byName = golden.Fields.ToDictionary(field => field.ClrName);
        foreach (MeasuredField field in measured.Fields)
        {
            if (!byName.Remove(field.Name, out GoldenField? expected))
            {
                yield return $"{name}.{field.Name} is not in the golden table";
            }
            else if ((field.Offset, field.Size) != (expected.Offset, expected.Size))
            {
                yield return $"{name}.{field.Name} has {field.Size} bytes at {field.Offset}, right are {expected.Size} at " +
                    $"{expected.Offset}";
            }
        }

        foreach (string missing in byName.Keys)
        {
            yield return $"{name}.{missing} is in the golden table, but not in C#";
        }
    }
}
