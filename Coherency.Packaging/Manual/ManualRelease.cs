namespace Coherency.Packaging.Manual;

/// <summary>What the pages are of.</summary>
/// <param name="Version">Of the programs.</param>
/// <param name="Date">Of the last change.</param>
internal readonly record struct ManualRelease(string Version, DateOnly Date);
