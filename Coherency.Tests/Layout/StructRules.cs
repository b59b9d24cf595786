using System.Reflection;
using System.Runtime.InteropServices;

namespace Coherency.Tests.Layout;

/// <summary>What every struct of the wire and of system calls keeps to, whatever its numbers are.</summary>
internal static class StructRules
{
    private static readonly Type[] FixedWidthIntegers =
        [typeof(byte), typeof(sbyte), typeof(ushort), typeof(short), typeof(uint), typeof(int), typeof(ulong), typeof(long)];

    public static IEnumerable<string> Violations(Type type) => [.. WrongSize(type), .. WrongFields(type), .. Padding(type)];

    /// <summary>The size stands in the source, where a reviewer sees that a change of a field changes the layout.</summary>
    public static IEnumerable<string> WrongSize(Type type)
    {
        int size = new MeasuredStruct(type).Size;
        StructLayoutAttribute layout = type.StructLayoutAttribute!;
        if (layout.Value == LayoutKind.Auto || layout.Size != size)
        {
            yield return $"{type.Name} has {size} bytes: write [StructLayout(LayoutKind.Sequential, Size = {size})]";
        }
    }

    /// <summary>
    /// bool and char have several forms in memory, an enum accepts numbers that it has no member for, and pointers and
    /// native integers differ between machines.
    /// </summary>
    public static IEnumerable<string> WrongFields(Type type) =>
        from field in new MeasuredStruct(type).Fields
        where !MeasuredStruct.IsFixedBuffer(field.Field) && !IsAllowed(field.Field.FieldType)
        select $"{type.Name}.{field.Name} is of type {field.Field.FieldType.Name}: use an integer of fixed width";

    /// <summary>Padding that has no name cannot be written as zero, and would send old memory to the other side.</summary>
    public static IEnumerable<string> Padding(Type type)
    {
        MeasuredStruct measured = new(type);
        int named = measured.Fields.Sum(field => field.Size);
        if (named != measured.Size)
        {
            yield return $"{type.Name} has {measured.Size} bytes, its fields have {named}: name the padding";
        }
    }

    private static bool IsAllowed(Type type) =>
        FixedWidthIntegers.Contains(type) || (type.IsValueType && !type.IsEnum && !type.IsPrimitive && NativeTypes.Structs.Contains(type));
}
