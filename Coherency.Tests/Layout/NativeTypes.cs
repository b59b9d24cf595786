using System.Reflection;
using System.Runtime.CompilerServices;
using Coherency.Core.Linux;

namespace Coherency.Tests.Layout;

/// <summary>The types of Coherency.Core whose bytes or numbers belong to somebody else: kernel, libc, specification.</summary>
internal static class NativeTypes
{
    private const string LinuxNamespace = "Coherency.Core.Linux";

    private const BindingFlags DeclaredStatic =
        BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private static readonly string[] StructNamespaces =
        ["Coherency.Core.Fuse.Abi", "Coherency.Core.Virtio.Abi", "Coherency.Core.VhostUser.Abi", "Coherency.Core.Versioning.Abi",
            LinuxNamespace];

    /// <summary>Flags and codes stand one level higher: everything above the bytes uses them too.</summary>
    private static readonly string[] FlagNamespaces = ["Coherency.Core.Fuse", "Coherency.Core.Virtio", "Coherency.Core.VhostUser"];

    private static readonly Type[] CoreTypes = typeof(Libc).Assembly.GetTypes();

    /// <summary>Every struct of the wire and of system calls, nested and private ones included.</summary>
    public static IReadOnlyList<Type> Structs { get; } =
        [.. CoreTypes.Where(type => type.IsValueType && !type.IsEnum && IsIn(StructNamespaces, type) && IsWrittenByHand(type))];

    /// <summary>Every enum, and every static class that is there for its constants.</summary>
    public static IReadOnlyList<Type> ConstantSets { get; } = [.. CoreTypes.Where(type => IsWrittenByHand(type) && IsConstantSet(type))];

    /// <summary>Name and value of each member; a member None is no constant of the wire but the absence of all.</summary>
    public static IEnumerable<(string Name, long Value)> ConstantsOf(Type type) =>
        from field in Literals(type)
        where field.Name != "None"
        select (field.Name, ToInt64(field.GetRawConstantValue()!));

    public static bool IsOfLinux(Type type) => type.Namespace == LinuxNamespace;

    private static bool IsIn(string[] namespaces, Type type) => namespaces.Contains(type.Namespace);

    private static bool IsConstantSet(Type type) =>
        (IsIn(StructNamespaces, type) && (type.IsEnum || (IsStatic(type) && Literals(type).Any()))) ||
        (IsIn(FlagNamespaces, type) && (type.IsEnum || (IsStatic(type) && type.GetMembers(DeclaredStatic).All(IsLiteral))));

    private static bool IsStatic(Type type) => type.IsAbstract && type.IsSealed;

    private static bool IsLiteral(MemberInfo member) => member is FieldInfo { IsLiteral: true };

    private static IEnumerable<FieldInfo> Literals(Type type) => type.GetFields(DeclaredStatic).Where(IsLiteral);

    private static bool IsWrittenByHand(Type type) =>
        !type.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false) && (
            type.DeclaringType is null || IsWrittenByHand(type.DeclaringType));

    /// <summary>The same 64 bits: a flag in the highest bit of a ulong has a negative number here as in C.</summary>
    private static long ToInt64(object value) =>
        value is ulong bits ? unchecked((long)bits) : Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture);
}
