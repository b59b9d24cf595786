using ArchUnitNET.Domain;
using ArchUnitNET.Domain.Extensions;
using ArchUnitNET.Loader;

namespace Coherency.Tests.House;

/// <summary>Types of one namespace use types of another one.</summary>
/// <param name="Types">One such pair, for the message.</param>
internal sealed record NamespaceUse(string From, string To, string Types);

/// <summary>Which namespaces of an assembly use each other.</summary>
internal static class NamespaceGraph
{
    /// <summary>
    /// Everything that the compiled code shows: signatures, bases, attributes, bodies. Parameters of generic methods are left out:
    /// ArchUnitNET knows them by name alone, and takes those of two sources that a generator wrote for one.
    /// </summary>
    public static IReadOnlyList<NamespaceUse> Of(System.Reflection.Assembly assembly) =>
    [
        .. from type in new ArchLoader().LoadAssembly(assembly).Build().Types
           from dependency in type.Dependencies
           let target = dependency.Target
           where target is not GenericParameter && type.Assembly.Equals(target.Assembly)
           where type.Namespace.FullName != target.Namespace.FullName
           group $"{type.Name} uses {target.Name}" by (From: type.Namespace.FullName, To: target.Namespace.FullName) into uses
           orderby uses.Key
           select new NamespaceUse(uses.Key.From, uses.Key.To, uses.First()),
    ];

    /// <summary>The uses that are part of a cycle, each with what to look at.</summary>
    public static IEnumerable<string> Cycles(IReadOnlyList<NamespaceUse> uses)
    {
        ILookup<string, string> next = uses.ToLookup(use => use.From, use => use.To);
        return uses.Where(use => Reaches(next, use.To, use.From)).Select(use => $"{use.From} -> {use.To} ({use.Types})");
    }

    private static bool Reaches(ILookup<string, string> next, string from, string to)
    {
        HashSet<string> seen = [];
        Stack<string> open = new([from]);
        while (open.TryPop(out string? current))
        {
            if (current == to)
            {
                return true;
            }

            foreach (string following in next[current].Where(seen.Add))
            {
                open.Push(following);
            }
        }

        return false;
    }
}
