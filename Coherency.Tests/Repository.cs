using System.Reflection;

namespace Coherency.Tests;

/// <summary>The source tree that these tests were built from. Build output may lie elsewhere, so the build recorded the path.</summary>
internal static class Repository
{
    public static readonly string Root = Path.GetFullPath(
        typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "RepositoryRoot").Value!);
}
